import { expect, test } from "vitest";
import { MirrorLedger } from "../../src/transfer/mirror-ledger.ts";
import { TransferError } from "../../src/transfer/ports.ts";
import type { FoundFile } from "../../src/transfer/walk.ts";

/** A ledger with a clock of its own; mtimes are its wall clock's milliseconds. */
function ledgerAt(times = { stabilityMs: 50, maxWaitMs: 5000 }) {
  const ledger = new MirrorLedger(times);
  const state = (mtimeMs: number) => {
    const timeNs = BigInt(mtimeMs) * 1_000_000n;
    return { sizeBytes: 1, mtimeNs: timeNs, ctimeNs: timeNs, inode: 1n };
  };
  const scan = (nowMs: number, mtimes: Record<string, number>, sameRoot = true) => {
    const files = Object.entries(mtimes).map(([path, mtimeMs]): [string, FoundFile] => [
      path,
      { relativePath: path, state: state(mtimeMs) },
    ]);
    ledger.observe({ files: new Map(files), unreadable: [] }, { nowMs, wallMs: nowMs, sameRoot });
  };
  const due = (nowMs: number) => ledger.due(nowMs, false).map((entry) => entry.path);
  const deletable = (nowMs: number) => ledger.deletable(nowMs, false).map((entry) => entry.path);
  const upload = (path: string, nowMs: number) => {
    const entry = ledger.due(nowMs, true).find((found) => found.path === path);
    if (!entry?.latest) throw new Error(`${path} is not due`);
    ledger.beginUpload(entry);
    ledger.uploaded(entry, entry.latest, entry.latest, nowMs);
  };
  return { ledger, scan, due, deletable, upload, state };
}

test("a scan that misses checkpoint 2 and already misses checkpoint 1 deletes nothing yet", () => {
  const { scan, deletable, upload } = ledgerAt();
  scan(0, { one: -100 });
  upload("one", 0);
  // Checkpoint 2 was written behind the walk's back, and 1 removed before the walk came by.
  scan(5000, {});
  expect(deletable(5000)).toEqual([]);
  scan(6000, { two: 4000 });
  expect(deletable(6000)).toEqual([]);
  upload("two", 6000);
  expect(deletable(9000)).toEqual(["one"]);
});

test("an upload that began before checkpoint 2 was finished does not free checkpoint 1", () => {
  const { ledger, scan, deletable, upload, state } = ledgerAt();
  scan(0, { one: -100 });
  upload("one", 0);
  scan(2000, { one: -100, two: 1000 });
  const [two] = ledger.due(2000, false);
  if (!two) throw new Error("two is not due");
  const began = two.latest;
  ledger.beginUpload(two);
  scan(3000, { two: 2900 });
  scan(4000, { two: 3900 });
  ledger.uploaded(two, state(1000), began, 4000);
  expect(deletable(9000)).toEqual([]);
  upload("two", 4000);
  expect(deletable(9000)).toEqual(["one"]);
});

test("a file is due once unchanged for a while, and at the latest after the longest wait", () => {
  const { scan, due } = ledgerAt();
  scan(1000, { a: 990 });
  expect(due(1000)).toEqual([]);
  scan(1050, { a: 1045 });
  expect(due(1050)).toEqual([]);
  scan(1100, { a: 1045 });
  expect(due(1100)).toEqual(["a"]);
  for (let nowMs = 2000; nowMs < 6000; nowMs += 20) scan(nowMs, { b: nowMs - 1 });
  expect(due(6000)).toEqual([]);
  expect(due(7000)).toEqual(["b"]);
});

test("an mtime in the future, or a clock that is wrong, holds no file back", () => {
  const { scan, due } = ledgerAt();
  scan(1000, { a: 9_000_000 });
  expect(due(1000)).toEqual([]);
  scan(1060, { a: 9_000_000 });
  expect(due(1060)).toEqual(["a"]);
});

test("oldest first", () => {
  const { scan, due } = ledgerAt();
  scan(1000, { newest: 900, oldest: 100, middle: 500 });
  expect(due(1000)).toEqual(["oldest", "middle", "newest"]);
});

test("a failed file stays due, later and later; one that vanishes fails no longer", () => {
  const { ledger, scan, due } = ledgerAt();
  scan(1000, { a: 100 });
  for (const [failedMs, dueMs] of [
    [1000, 2000],
    [2000, 4000],
    [4000, 8000],
  ] as const) {
    const [entry] = ledger.due(failedMs, false);
    if (!entry) throw new Error("not due");
    ledger.beginUpload(entry);
    ledger.failed(entry, new TransferError("storage", "no"), failedMs);
    expect(due(dueMs - 1)).toEqual([]);
    expect(due(dueMs)).toEqual(["a"]);
  }
  expect(ledger.problems.length).toBe(1);
  scan(9000, {});
  expect(due(9000)).toEqual([]);
});

test("below a directory that could not be read nothing counts as removed", () => {
  const { ledger, scan, deletable, upload } = ledgerAt();
  scan(0, { "/out/sub/a": -100 });
  upload("/out/sub/a", 0);
  const unreadable = [{ path: "/out/sub" }] as Parameters<typeof ledger.observe>[0] extends infer Walk
    ? Walk extends { unreadable: infer Failures }
      ? Failures
      : never
    : never;
  for (const nowMs of [3000, 4000, 5000]) {
    ledger.observe({ files: new Map(), unreadable }, { nowMs, wallMs: nowMs, sameRoot: true });
  }
  expect(deletable(9000)).toEqual([]);
});

test("a file that comes back during its delete goes up again", () => {
  const { ledger, scan, due, upload } = ledgerAt();
  scan(0, { a: -100 });
  upload("a", 0);
  scan(2000, {});
  scan(3000, {});
  const [entry] = ledger.deletable(3000, false);
  if (!entry) throw new Error("not deletable");
  ledger.beginDelete(entry);
  scan(4000, { a: -100 });
  ledger.deleted(entry);
  expect(due(5000)).toEqual(["a"]);
});
