import { expect, test } from "vitest";
import { type FileContent, type PlacedChunk, wholeChunks } from "../../src/snapshot/content.ts";
import { layOut } from "../../src/snapshot/lay-out.ts";
import { type ChunkSizes, chunkSizes } from "../../src/snapshot/sizes.ts";
import { digest } from "./generation-storage.ts";
import { Random } from "./random.ts";

/** The real proportions, a 65,536th of the size. */
const tiny: ChunkSizes = {
  chunkBytes: 128,
  smallBytes: 16,
  keptBytes: 4,
  undersizedBytes: 32,
  undersizedMax: 16,
};

/** Chunks in a storage, and one file laid out in it. */
class Storage {
  readonly chunks = new Map<string, Buffer>();
  sentBytes = 0;

  layOut(bytes: Buffer, former: FileContent, sizes: ChunkSizes): FileContent {
    const matching = wholeChunks(former).filter(
      ({ offset, chunk }) =>
        offset + chunk.bytes <= bytes.byteLength &&
        digest("sha256", bytes.subarray(offset, offset + chunk.bytes)) === chunk.sha256,
    );
    const pieces = layOut(bytes.byteLength, matching, sizes).map((span) => {
      const part = bytes.subarray(span.offset, span.offset + span.bytes);
      const sha256 = digest("sha256", part);
      if (span.chunk) expect(span.chunk).toEqual({ sha256, bytes: span.bytes });
      if (!this.chunks.has(sha256)) this.sentBytes += part.byteLength;
      this.chunks.set(sha256, Buffer.from(part));
      return { chunk: { sha256, bytes: span.bytes }, offset: 0, bytes: span.bytes };
    });
    return { sizeBytes: bytes.byteLength, pieces };
  }

  read({ pieces }: FileContent): Buffer {
    return Buffer.concat(pieces.map(({ chunk }) => this.chunks.get(chunk.sha256) ?? Buffer.from("?")));
  }
}

const nothing: FileContent = { sizeBytes: 0, pieces: [] };

function edit(random: Random, bytes: Buffer): Buffer {
  const at = random.below(bytes.byteLength + 1);
  switch (random.below(6)) {
    case 0:
    case 1:
      return Buffer.concat([bytes, random.bytes(1 + random.below(400))]);
    case 2:
      return bytes.subarray(0, at);
    case 3: {
      const changed = Buffer.from(bytes);
      random.bytes(random.below(200)).copy(changed, at);
      return changed;
    }
    case 4:
      return random.bytes(random.below(1000));
    default:
      return Buffer.concat([bytes.subarray(0, at), random.bytes(random.below(40)), bytes.subarray(at)]);
  }
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])(
  "random edits, seed %i: the pieces are the file, whatever was done to it",
  (seed) => {
    const random = new Random(seed);
    const storage = new Storage();
    let bytes = random.bytes(500);
    let content = nothing;
    for (let edits = 0; edits < 200; edits += 1) {
      content = storage.layOut(bytes, content, tiny);
      expect(storage.read(content).equals(bytes)).toBe(true);
      expect(Math.max(0, ...content.pieces.map((piece) => piece.bytes))).toBeLessThanOrEqual(tiny.chunkBytes);
      bytes = edit(random, bytes);
    }
  },
);

test.each([1, 2, 3])(
  "a file that grows by random amounts, seed %i, keeps few pieces and sends little twice",
  (seed) => {
    const random = new Random(seed);
    const storage = new Storage();
    let bytes: Buffer = Buffer.alloc(0);
    let content = nothing;
    let appends = 0;
    for (; appends < 600; appends += 1) {
      bytes = Buffer.concat([bytes, random.bytes(1 + random.below(30))]);
      content = storage.layOut(bytes, content, tiny);
    }
    expect(content.pieces.slice(0, -1).every(({ bytes }) => bytes >= tiny.keptBytes)).toBe(true);
    // Full ones, those that runs became, and the run that is not full yet.
    expect(content.pieces.length).toBeLessThan(
      bytes.byteLength / tiny.undersizedBytes + tiny.undersizedMax + 2,
    );
    // Once when it is appended, once more in a run, and each time the crumb at the end.
    expect(storage.sentBytes).toBeLessThan(2 * bytes.byteLength + appends * tiny.keptBytes);
  },
);

test.each([0, 1, 200_000, 262_143, 262_144, 1_000_000, 8_388_607])(
  "16 MiB appended to 1 GiB and %i bytes cost less than 17 MB, twenty times over",
  (odd) => {
    const appended = 16 * 1024 * 1024;
    let size = 1024 ** 3 + odd;
    let spans = layOut(size, [], chunkSizes);
    for (let appends = 0; appends < 20; appends += 1) {
      const held: PlacedChunk[] = spans.map(({ offset, bytes }) => ({
        offset,
        chunk: { sha256: `${offset}+${bytes}`, bytes },
      }));
      size += appended;
      spans = layOut(size, held, chunkSizes);
      const sent = spans.filter(({ chunk }) => !chunk).reduce((sum, { bytes }) => sum + bytes, 0);
      expect(sent).toBeGreaterThanOrEqual(appended);
      expect(sent).toBeLessThan(17_000_000 - 60_000); // the manifest's share
    }
    expect(spans.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(size);
  },
);

test("a file emptied has no pieces, one cut short keeps what is whole", () => {
  expect(layOut(0, [], tiny)).toEqual([]);
  const chunk = { sha256: "a", bytes: 128 };
  expect(layOut(130, [{ offset: 0, chunk }], tiny)).toEqual([
    { offset: 0, bytes: 128, chunk },
    { offset: 128, bytes: 2 },
  ]);
});

test("a change in the middle costs the chunk that it is in", () => {
  const place = (offset: number) => ({ offset, chunk: { sha256: String(offset), bytes: 128 } });
  const spans = layOut(512, [place(0), place(256), place(384)], tiny);
  expect(spans.filter(({ chunk }) => !chunk)).toEqual([{ offset: 128, bytes: 128 }]);
});
