import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { limits } from "../../../src/contract/index.ts";
import type { SeenEntry } from "../../src/snapshot/survey.ts";
import { writeManifest } from "../../src/snapshot/write-manifest.ts";
import { digest } from "./generation-storage.ts";

const facts = {
  jobId: randomUUID(),
  prefix: "p/",
  name: { attempt: 1, generation: 2 },
  base: { attempt: 1, generation: 1 },
  cut: new Date(0),
  quiet: true,
  storedIn: (sha256: string) => ({ attempt: 1, generation: sha256.startsWith("0") ? 1 : 2 }),
  mtimeOf: (_path: string, seenNs: bigint) => seenNs,
};
const state = { sizeBytes: 0, mtimeNs: 5n, ctimeNs: 6n, inode: 7n };

test("a directory that is more chunks, or more names, than a generation can hold is refused by its number", async () => {
  const pieces = Array.from({ length: limits.generationChunks + 1 }, (_, index) => {
    const sha256 = digest("sha256", Buffer.from(String(index)));
    return { chunk: { sha256, bytes: 8 }, offset: 0, bytes: 8 };
  });
  const entries = new Map<string, SeenEntry>([["a", { type: "file", state, mode: 0o644 }]]);
  const contents = new Map([["a", { sizeBytes: 8 * pieces.length, pieces }]]);
  await expect(writeManifest({ entries, contents }, facts)).rejects.toThrow("50001 chunks, over 50000");
  const links = new Map<string, SeenEntry>();
  for (let index = 0; index < 17_000; index += 1) {
    links.set(`link-${index}`, { type: "link", target: "x".repeat(4000) });
  }
  await expect(writeManifest({ entries: links, contents: new Map() }, facts)).rejects.toThrow(
    "over 67108864",
  );
});

test("the same directory has the same digest, whatever its generation, and each chunk is named once", async () => {
  const chunk = { sha256: digest("sha256", Buffer.from("x")), bytes: 8 };
  const content = { sizeBytes: 4, pieces: [{ chunk, offset: 0, bytes: 4 }] };
  const file: SeenEntry = { type: "file", state, mode: 0o644 };
  const written = (order: string[], name: typeof facts.name) =>
    writeManifest(
      {
        entries: new Map(order.map((path) => [path, file])),
        contents: new Map(order.map((path) => [path, content])),
      },
      { ...facts, name },
    );
  const one = await written(["b", "a"], { attempt: 1, generation: 2 });
  const other = await written(["a", "b"], { attempt: 3, generation: 4 });
  expect(one.digest).toBe(other.digest);
  expect(one.head.chunks).toEqual([[1, 2, chunk.sha256, 8]]);
  expect(one.head).toMatchObject({ files: 2, bytes: 8 });
});
