import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { configOf } from "../../../src/env.ts";

const saladWith = (vars: Record<string, string>) => configOf({ ...env, ...vars }).salad;

test("Salad is asked where it is, with no key of the deployment's own, unless told otherwise", () => {
  const none = { SALAD_API_URL: "", SALAD_JWKS_URL: "", SALAD_API_KEY: "" };
  expect(saladWith(none)).toEqual({
    apiUrl: "https://api.salad.com/api/public",
    jwksUrl: "https://matrix-rest-api.salad.com/.well-known/workload-jwks.json",
    apiKey: null,
  });
});

test("an address ends without a slash, however it was written", () => {
  expect(saladWith({ SALAD_API_URL: "http://salad.test/public//" }).apiUrl).toBe("http://salad.test/public");
});

test.each([
  ["SALAD_API_URL", "salad.test/public"],
  ["SALAD_API_URL", "ftp://salad.test/public"],
  ["SALAD_JWKS_URL", "nowhere"],
  ["SALAD_API_KEY", "s3cr3t\nkey"],
  ["SALAD_API_KEY", "s3cr3t kéy"],
])("a malformed %s is told by name, not by value", (name, value) => {
  const told = () => saladWith({ [name]: value });
  expect(told).toThrow(name);
  if (name === "SALAD_API_KEY") expect(told).not.toThrow("s3cr3t");
});
