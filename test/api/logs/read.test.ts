/** Long logs, of more parts than one answer or one list has, over a bucket in memory: R2's own rules of `list`, which are counted. */
import { describe, expect, test } from "vitest";
import { limits } from "../../../src/contract/index.ts";
import { logKey } from "../../../src/storage/keys.ts";
import { readAfter, readTail } from "../../../src/storage/logs/read.ts";

const place = { userId: crypto.randomUUID(), jobId: crypto.randomUUID(), attempt: 3 };

function logOfParts(contents: string[], stream: "stdout" | "stderr" = "stdout") {
  const objects = new Map<string, string>();
  let end = 0;
  for (const content of contents) {
    end += content.length;
    objects.set(logKey(place, stream, end), content);
  }
  const sorted = [...objects.keys()].sort();
  const calls = { list: 0, get: 0 };
  const bucket = {
    async list({ prefix = "", startAfter = "", limit = 1_000 }: R2ListOptions) {
      calls.list += 1;
      const found = sorted.filter((key) => key.startsWith(prefix) && key > startAfter);
      const page = found.slice(0, limit);
      return {
        objects: page.map((key) => ({ key, size: objects.get(key)?.length })),
        truncated: found.length > page.length,
      };
    },
    async get(key: string) {
      calls.get += 1;
      const content = objects.get(key);
      return content === undefined ? null : { bytes: async () => new TextEncoder().encode(content) };
    },
  } as unknown as R2Bucket;
  return {
    log: { bucket, place, stream },
    calls,
    whole: contents.join(""),
    remove: (key: string) => objects.delete(key),
  };
}
const textOf = ({ bytes }: { bytes: Uint8Array }) => new TextDecoder().decode(bytes);

describe("an answer has 1 MiB and 500 parts at most; following brings the rest", () => {
  test("of large parts", async () => {
    const parts = ["a", "b", "c", "d", "e"].map((letter) => letter.repeat(limits.logChunkBytes));
    const { log } = logOfParts(parts);
    const first = await readAfter(log, 0);
    expect([first.bytes.length, first.next]).toEqual([limits.logAnswerBytes, limits.logAnswerBytes]);
    expect(textOf(await readAfter(log, first.next))).toBe(parts[4]);
    const tail = await readTail(log, limits.logTailLines);
    expect([tail.bytes.length, tail.offset, tail.next]).toEqual([
      limits.logAnswerBytes,
      limits.logChunkBytes,
      5 * limits.logChunkBytes,
    ]);
    expect(tail.bytes.at(-1)).toBe("e".charCodeAt(0));
  });

  test("of small parts", async () => {
    const lines = Array.from({ length: 510 }, (_, line) => `${line}\n`);
    const { log } = logOfParts(lines);
    expect(textOf(await readTail(log, limits.logTailLines))).toBe(lines.slice(10).join(""));
    const first = await readAfter(log, 0);
    expect(textOf(first)).toBe(lines.slice(0, 500).join(""));
    expect(textOf(await readAfter(log, first.next))).toBe(lines.slice(500).join(""));
  });
});

test.each([999, 1_000, 1_001, 1_500, 2_345, 20_000])(
  "the end of a log of %i parts is found in few lists",
  async (count) => {
    const lines = Array.from({ length: count }, (_, line) => `line ${line}\n`);
    const { log, calls, whole } = logOfParts(lines);
    const tail = await readTail(log, 300);
    expect(textOf(tail)).toBe(lines.slice(-300).join(""));
    expect([tail.offset + tail.bytes.length, tail.next]).toEqual([whole.length, whole.length]);
    expect(calls.list).toBeLessThanOrEqual(count <= 1_000 ? 1 : 28);
    expect(calls.get).toBeLessThanOrEqual(312);
  },
);

test("a tail of few lines reads few parts", async () => {
  const { log, calls } = logOfParts(Array.from({ length: 500 }, () => "x\n"));
  await readTail(log, 1);
  expect(calls.get).toBeLessThanOrEqual(24);
});

test("parts at the very end of what may be kept are found", async () => {
  const size = limits.logChunkBytes;
  const { log, whole } = logOfParts(
    Array.from({ length: limits.logBytes / size }, () => `${"x".repeat(size - 1)}\n`),
  );
  expect(whole.length).toBe(limits.logBytes);
  expect(await readTail(log, 1)).toMatchObject({ offset: limits.logBytes - size, next: limits.logBytes });
  expect((await readAfter(log, limits.logBytes)).bytes.length).toBe(0);
});

test("a part that is removed while it is read ends the text before it", async () => {
  const { log, remove } = logOfParts(["a", "b", "c"]);
  const list = log.bucket.list.bind(log.bucket);
  log.bucket.list = (async (options: R2ListOptions) => {
    const page = await list(options);
    remove(logKey(place, "stdout", 2));
    return page;
  }) as typeof log.bucket.list;
  expect(await readAfter(log, 0)).toMatchObject({ offset: 0, next: 1 });
});
