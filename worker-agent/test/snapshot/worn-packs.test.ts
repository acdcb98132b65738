import { expect, test } from "vitest";
import type { FileContent } from "../../src/snapshot/content.ts";
import { wornPacks } from "../../src/snapshot/worn-packs.ts";

const sizes = { chunkBytes: 800, smallBytes: 100, keptBytes: 20, undersizedBytes: 200, undersizedMax: 4 };

function inPack(sha256: string, packBytes: number, bytes: number): FileContent {
  return { sizeBytes: bytes, pieces: [{ chunk: { sha256, bytes: packBytes }, offset: 0, bytes }] };
}

test("a pack of which half is named stays, one of which less is named is given up", () => {
  const small = [
    inPack("half", 800, 90),
    inPack("half", 800, 310),
    inPack("less", 800, 90),
    inPack("less", 800, 300),
  ];
  expect([...wornPacks(small, sizes)]).toEqual(["less"]);
});

test("small packs are put together once there are several", () => {
  const three = ["a", "b", "c"].map((name) => inPack(name, 50, 50));
  expect(wornPacks(three, sizes).size).toBe(0);
  expect([...wornPacks([...three, inPack("d", 60, 60), inPack("full", 700, 600)], sizes)]).toEqual([
    "a",
    "b",
    "c",
    "d",
  ]);
});
