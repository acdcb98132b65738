/** A disk that hangs must not hold up the end of an attempt. */
import type { StatsFs } from "node:fs";
import { expect, test, vi } from "vitest";
import { findFull } from "../src/disk-space.ts";

const full = { bfree: 0, bavail: 0, bsize: 4096, files: 10, ffree: 5 } as StatsFs;

vi.mock("node:fs/promises", () => ({
  statfs: (path: string) =>
    path === "/hangs" ? new Promise<StatsFs>(() => undefined) : Promise.resolve(full),
}));

test("a disk that never answers is passed over, and so is what comes after it", async () => {
  expect(await findFull(["/full"], 50)).toBe("/full");
  expect(await findFull(["/hangs"], 50)).toBe(undefined);
});
