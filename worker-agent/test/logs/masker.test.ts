import { describe, expect, test } from "vitest";
import { Masker } from "../../src/logs/masker.ts";
import { secretValuesOf } from "../../src/logs/secret-values.ts";

function masked(secrets: string[], ...portions: string[]): string {
  const masker = new Masker(
    secretValuesOf(Object.fromEntries(secrets.map((secret, at) => [`KEY_${at}`, secret]))),
  );
  return Buffer.concat([
    ...portions.map((portion) => masker.push(Buffer.from(portion))),
    masker.end(),
  ]).toString();
}

test("a secret is masked wherever it is torn", () => {
  const secret = "hunter2-hunter3";
  const text = `a ${secret} b ${secret}${secret} c`;
  for (let one = 0; one <= text.length; one++) {
    for (let other = one; other <= text.length; other++) {
      const portions = [text.slice(0, one), text.slice(one, other), text.slice(other)];
      expect(masked([secret], ...portions)).toBe("a *** b ****** c");
    }
  }
});

test("of a secret that is the beginning of another nothing remains of either", () => {
  const [short, long] = ["abcdef", "abcdefghi"];
  for (let at = 0; at <= 12; at++) {
    const text = `x${long}y${short}z`;
    expect(masked([short, long], text.slice(0, at), text.slice(at))).toBe("x***y***z");
  }
});

test("what only begins like a secret is shown once it is known to be none; what ends in the middle of one is not", () => {
  expect(masked(["abcdefgh"], "abcdefg", "x")).toBe("abcdefgx");
  expect(masked(["abcdefgh"], "see ", "abcdef")).toBe("see ***");
  expect(masked(["abcdefgh"], "abc")).toBe("abc");
});

test("bytes that are no text, and letters outside of ASCII, pass unchanged", () => {
  const masker = new Masker(secretValuesOf({ KEY: "schlüssel" }));
  const bytes = Buffer.from([0xff, 0x00, 0xc3, 0xfe]);
  const parts = [masker.push(bytes), masker.push(Buffer.from("ein schlüssel")), masker.end()];
  expect(Buffer.concat(parts)).toEqual(Buffer.concat([bytes, Buffer.from("ein ***")]));
});

describe("what is secret", () => {
  test.each([
    ["MY_API_KEY", true],
    ["HF_TOKEN", true],
    ["aws_secret_access_key", true],
    ["DB_PASSWORD", true],
    ["REDIS_PASS", true],
    ["GIT_CREDENTIALS", true],
    ["PATH", false],
    ["TOKENIZERS_PARALLELISM", false],
    ["TOKENIZER", false],
    ["PWD", false],
    ["COMPASS_DIR", false],
  ])("%s: %s", (name, isSecret) => {
    expect(secretValuesOf({ [name]: "the-value" })).toEqual(isSecret ? ["the-value"] : []);
  });

  test("values of less than six characters are not", () => {
    expect(secretValuesOf({ KEY: "12345" })).toEqual([]);
    expect(secretValuesOf({ KEY: "123456" })).toEqual(["123456"]);
  });

  test("a password in a URL is, under any name", () => {
    expect(secretValuesOf({ DATABASE_URL: "postgres://me:open-sesame@db:5432/x" })).toEqual(["open-sesame"]);
  });

  test("also as it stands in JSON and in a URL, and each line of a text", () => {
    expect(masked(['quo"ted/secret'], '{"a":"quo\\"ted/secret"} ?a=quo%22ted%2Fsecret')).toBe(
      '{"a":"***"} ?a=***',
    );
    expect(masked(["-----BEGIN-----\nfirst-line\nsecond-line"], "x second-line y first-line")).toBe(
      "x *** y ***",
    );
  });

  test("a value of many kilobytes leaves nothing either", () => {
    const secret = Array.from({ length: 3_000 }, (_, n) => n.toString(36)).join("");
    const shown = masked([secret], "a ", secret.slice(0, 5_000), secret.slice(5_000), " b");
    expect(shown).toMatch(/^a (\*\*\*)+ b$/);
  });
});
