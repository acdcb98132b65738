import { randomUUID } from "node:crypto";
import { expect, test } from "vitest";
import { CorruptManifest, readManifest } from "../../src/snapshot/read-manifest.ts";
import { ownName } from "../../src/transfer/object-key.ts";

const jobId = randomUUID();
const sha256 = "a".repeat(64);
const name = { attempt: 2, generation: 3, manifest: { sha256, size: 1 } };
const expected = { jobId, prefix: "p/", name };
const file = { type: "file", path: "a", mode: 0o644, mtime_ns: "1", size: 4, pieces: [[0, 0, 4]] };
const link = { type: "link", path: "l", target: "/etc" };
const directory = { type: "directory", path: "d", mode: 0o755, mtime_ns: "1" };

function manifestOf(lines: unknown[], changes: object = {}): Buffer {
  const files = lines.filter((line) => (line as { type?: string }).type === "file") as { size: number }[];
  const head = {
    version: 1,
    job_id: jobId,
    prefix: "p/",
    attempt: 2,
    generation: 3,
    base: null,
    cut: new Date(0).toISOString(),
    quiet: true,
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
    chunks: [[1, 1, sha256, 10]],
    ...changes,
  };
  return Buffer.from([head, ...lines].map((line) => `${JSON.stringify(line)}\n`).join(""));
}

test("a manifest in order is read as it is", async () => {
  const lines = [directory, { ...file, path: "d/a" }, link, { ...file, path: "same content" }];
  expect((await readManifest(manifestOf(lines), expected)).entries).toEqual(lines);
});

const corrupt: [string, unknown[], object?][] = [
  ["a path that escapes", [{ ...file, path: "../a" }]],
  ["a path that escapes further in", [{ ...file, path: "d/../../a" }]],
  ["an absolute path", [{ ...file, path: "/etc/passwd" }]],
  ["an empty part", [{ ...file, path: "d//a" }]],
  ["a final slash", [{ ...directory, path: "d/" }]],
  ["a dot", [{ ...link, path: "./l" }]],
  ["NUL", [{ ...file, path: "a\0b" }]],
  ["no path", [{ ...file, path: "" }]],
  ["a path through a link", [link, { ...file, path: "l/passwd" }]],
  ["a path through a link that is named later", [{ ...file, path: "l/d/passwd" }, link]],
  ["a path through a file", [file, { ...file, path: "a/b" }]],
  ["a link through a link", [link, { ...link, path: "l/l" }]],
  ["the same path twice", [file, { ...file }]],
  ["a link and a directory of one name", [link, { ...directory, path: "l" }]],
  ["a name of the agent's own", [{ ...file, path: `d/${ownName("snapshot")}` }]],
  ["a chunk that is not named", [{ ...file, pieces: [[1, 0, 4]] }]],
  ["a piece beyond its chunk", [{ ...file, pieces: [[0, 7, 4]] }]],
  ["a negative offset", [{ ...file, pieces: [[0, -1, 4]] }]],
  ["an empty piece", [{ ...file, size: 0, pieces: [[0, 0, 0]] }]],
  ["pieces that are shorter than the file", [{ ...file, size: 5 }]],
  ["pieces that are longer than the file", [{ ...file, size: 3 }]],
  ["pieces that overlap in part", [file, { ...file, path: "b", pieces: [[0, 2, 4]] }]],
  [
    "pieces of one file that overlap",
    [
      {
        ...file,
        size: 8,
        pieces: [
          [0, 0, 4],
          [0, 3, 4],
        ],
      },
    ],
  ],
  ["another type", [{ ...file, type: "device" }]],
  ["a mode that is none", [{ ...file, mode: 0o10000 }]],
  ["a time that is none", [{ ...file, mtime_ns: "1e9" }]],
  ["more files than it counts", [file], { files: 0 }],
  ["fewer bytes than it counts", [file], { bytes: 5 }],
  [
    "a chunk twice",
    [file],
    {
      chunks: [
        [1, 1, sha256, 10],
        [1, 1, sha256, 10],
      ],
    },
  ],
  ["another job's", [file], { job_id: randomUUID() }],
  ["another prefix's", [file], { prefix: "q/" }],
  ["another generation's", [file], { generation: 4 }],
  ["another version", [file], { version: 2 }],
];

test.each(corrupt)("refused: %s", async (_what, lines, head) => {
  await expect(readManifest(manifestOf(lines, head), expected)).rejects.toThrow(CorruptManifest);
});

test.each(["", "{", "null\n", `${manifestOf([]).toString()}not json\n`, `${manifestOf([]).toString()}\n`])(
  "refused: %j",
  async (text) => {
    await expect(readManifest(Buffer.from(text), expected)).rejects.toThrow(CorruptManifest);
  },
);
