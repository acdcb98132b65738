import { randomBytes } from "node:crypto";
import { appendFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { failureOf } from "../transfer/bench.ts";
import { newMachine, prefix, startServer, tinySizes } from "./bench.ts";
import { digest } from "./generation-storage.ts";
import type { Asked, Fault, SnapshotServer } from "./snapshot-server.ts";

/** Lets nothing of the kind through until it is called. */
function hold(server: SnapshotServer, which: (asked: Asked) => boolean): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const rule = (asked: Asked): Fault | undefined =>
    which(asked) ? { kind: "hold", until: promise } : undefined;
  server.faults.push(rule);
  return () => {
    server.faults.splice(server.faults.indexOf(rule), 1);
    resolve();
  };
}

const isChunk = ({ step }: Asked) => step === "put_chunk";

function count(server: SnapshotServer, which: (asked: Asked) => boolean): number {
  return server.asked.filter(which).length;
}

/** The first so many of a kind go wrong. */
function first(server: SnapshotServer, times: number, step: Asked["step"], fault: Fault): void {
  let left = times;
  server.faults.push((asked) => (asked.step === step && left-- > 0 ? fault : undefined));
}

const passing: [string, (server: SnapshotServer) => void][] = [
  ["500s of the storage", (server) => first(server, 3, "put_chunk", { kind: "answer", status: 500 })],
  ["resets", (server) => first(server, 3, "put_chunk", { kind: "reset" })],
  [
    "lost answers: what is there already is told by a 412",
    (server) => first(server, 3, "put_chunk", { kind: "losesAnswer" }),
  ],
  [
    "an expired grant",
    (server) => first(server, 2, "put_chunk", { kind: "answer", status: 403, code: "AccessDenied" }),
  ],
  ["a manifest whose answer is lost", (server) => first(server, 1, "put_manifest", { kind: "losesAnswer" })],
  ["lost answers of the commit", (server) => first(server, 2, "commit", { kind: "losesAnswer" })],
  [
    "a conflict with a commit of its own that was applied",
    (server) => first(server, 1, "commit", { kind: "denies", status: 409 }),
  ],
  ["an API in trouble", (server) => first(server, 4, "commit", { kind: "answer", status: 503 })],
  ["grants that do not come", (server) => first(server, 3, "grants", { kind: "reset" })],
];

test.each(passing)("a generation arrives once, in spite of %s", async (_what, go) => {
  const server = await startServer();
  const { out, start, committed, problems } = await newMachine(server, { sizes: tinySizes });
  await writeFile(join(out, "a"), randomBytes(10_000));
  go(server);
  const running = await start();
  await server.until(() => server.generations.length === 1);
  await running.finish();
  expect(committed.map(({ generation, files }) => [generation, files])).toEqual([[1, 1]]);
  expect([server.generations.length, server.violations, problems]).toEqual([1, [], []]);
});

test("a storage that fails longer than its tries: told, and tried again until it is better", async () => {
  const server = await startServer();
  const { out, start, problems } = await newMachine(server, { sizes: tinySizes });
  await writeFile(join(out, "a"), randomBytes(100));
  first(server, 5, "put_chunk", { kind: "answer", status: 500 });
  const running = await start();
  await server.until(() => server.generations.length === 1);
  await running.finish();
  expect(problems).toEqual([expect.stringContaining("to be tried again")]);
});

test("at the end a storage that fails on is the storage's fault", async () => {
  const server = await startServer();
  const { out, start } = await newMachine(server, { sizes: tinySizes });
  await writeFile(join(out, "a"), randomBytes(100));
  server.faults.push(({ step }) => (step === "put_chunk" ? { kind: "answer", status: 500 } : undefined));
  const failure = await failureOf((await start()).finish());
  expect(failure.fault).toBe("storage");
});

test("chunks that the storage has forgotten are sent again", async () => {
  const server = await startServer();
  const { out, start } = await newMachine(server, { sizes: tinySizes });
  await writeFile(join(out, "a"), randomBytes(10_000));
  const release = hold(server, ({ step }) => step === "put_manifest");
  const running = await start();
  await server.until(() => count(server, ({ step }) => step === "put_manifest") === 1);
  for (const key of [...server.sizes.keys()].slice(0, 2)) server.sizes.delete(key);
  release();
  await server.until(() => server.generations.length === 1);
  await running.finish();
  expect([count(server, isChunk), count(server, ({ step }) => step === "commit")]).toEqual([5, 2]);
});

test("superseded while it uploads: nothing is committed, and the attempt learns of it", async () => {
  const server = await startServer();
  const { out, start, gate, observed } = await newMachine(server, { sizes: tinySizes });
  await writeFile(join(out, "a"), randomBytes(3000));
  const release = hold(server, isChunk);
  const running = await start();
  await server.until(() => count(server, isChunk) === 1);
  server.refuse("superseded");
  release();
  await expect.poll(() => gate.ended).toEqual(["superseded"]);
  await expect(running.finish()).rejects.toThrow("superseded");
  expect(server.generations).toEqual([]);
  expect(observed).toEqual(["began upload out", "ended upload out 0"]);
});

test("a commit by an attempt that another has followed is refused", async () => {
  const server = await startServer();
  const { out, start, gate } = await newMachine(server, { sizes: tinySizes });
  await writeFile(join(out, "a"), randomBytes(3000));
  const release = hold(server, ({ step }) => step === "put_manifest");
  const running = await start();
  await server.until(() => count(server, ({ step }) => step === "put_manifest") === 1);
  server.claim();
  release();
  await expect(running.finish()).rejects.toThrow("superseded");
  expect([server.generations, gate.ended]).toEqual([[], ["superseded"]]);
});

/** A commit of this attempt's own that nobody knew of: under the number, and of the chunks, that go up just now. */
function plantOpen(server: SnapshotServer, content: Buffer): ReturnType<SnapshotServer["plant"]> {
  const { attempt } = server;
  const chunks: [number, number, string, number][] = [
    [attempt, 1, digest("sha256", content), content.byteLength],
  ];
  const size = content.byteLength;
  const line = { type: "file", path: "old", mode: 0o644, mtime_ns: "0", size, pieces: [[0, 0, size]] };
  return server.plant(prefix, [line], { chunks }, { attempt, generation: 1 });
}

test("the head is a commit of its own that was given up for lost: the next generation builds on it, under the next number", async () => {
  const server = await startServer();
  const { out, start, gate, problems } = await newMachine(server, { sizes: tinySizes });
  const content = randomBytes(3000);
  await writeFile(join(out, "a"), content);
  const release = hold(server, ({ step }) => step === "put_manifest");
  const running = await start();
  await server.until(() => count(server, ({ step }) => step === "put_manifest") === 1);
  const planted = plantOpen(server, content);
  release();
  await server.until(() => server.generations.length === 2);
  await running.finish();
  const head = server.head;
  expect(head?.generation).toBe(2);
  expect(head?.head.base).toEqual({ attempt: planted.attempt, generation: 1 });
  expect(head && server.contentOf(head, "a")?.equals(content)).toBe(true);
  // What it names is not sent again.
  expect(count(server, isChunk)).toBe(1);
  expect([gate.ended, problems, server.violations]).toEqual([[], [], []]);
});

test("the head is another one and its manifest is gone: all is sent again", async () => {
  const server = await startServer();
  const { out, start, gate } = await newMachine(server, { sizes: tinySizes });
  const content = randomBytes(3000);
  await writeFile(join(out, "a"), content);
  const release = hold(server, ({ step }) => step === "put_manifest");
  const running = await start();
  await server.until(() => count(server, ({ step }) => step === "put_manifest") === 1);
  const planted = plantOpen(server, content);
  server.objects.delete(server.keyOf(planted, `manifest-${planted.manifest.sha256}`));
  release();
  await server.until(() => server.generations.length === 2);
  await running.finish();
  const head = server.head;
  expect(head && server.contentOf(head, "a")?.equals(content)).toBe(true);
  expect([count(server, isChunk), gate.ended]).toEqual([2, []]);
});

test("a head that is never the right one gives the job back, and says so", async () => {
  const server = await startServer();
  const { out, start, gate } = await newMachine(server, { sizes: tinySizes });
  await writeFile(join(out, "a"), randomBytes(100));
  server.faults.push(({ step }) => (step === "commit" ? { kind: "answer", status: 409 } : undefined));
  const failure = await failureOf((await start()).finish());
  expect(failure.fault).toBe("storage");
  expect(failure.message).toContain("the generation was refused");
  expect(gate.ended).toEqual([]);
});

test("while trust has lapsed nothing is asked; what was begun is taken up again", async () => {
  const server = await startServer();
  const { out, start, gate } = await newMachine(server, { sizes: tinySizes });
  await writeFile(join(out, "a"), randomBytes(40_000));
  const release = hold(server, isChunk);
  const running = await start();
  await server.until(() => count(server, isChunk) === 4);
  gate.lapse();
  await delay(50);
  const asked = server.asked.length;
  await delay(200);
  expect(server.asked.length).toBe(asked);
  release();
  gate.restore();
  await running.finish();
  expect([server.generations.length, server.violations]).toEqual([1, []]);
});

test("a newer cut drops the one that uploads, but not two in a row; what was sent is not sent again", async () => {
  const server = await startServer();
  const { out, start, observed, committed } = await newMachine(server, { sizes: tinySizes });
  const kept = randomBytes(4096);
  await writeFile(join(out, "kept"), kept);
  const ofKept = digest("sha256", kept);
  const release = hold(server, (asked) => isChunk(asked) && asked.sha256 !== ofKept);
  await writeFile(join(out, "version"), Buffer.alloc(3000, "1"));
  const running = await start();
  await server.until(() => count(server, isChunk) === 2 && server.sentBytes.put_chunk === 4096);
  await writeFile(join(out, "version"), Buffer.alloc(3000, "2"));
  await server.until(() => count(server, isChunk) === 3);
  await writeFile(join(out, "version"), Buffer.alloc(3000, "3"));
  await delay(300);
  expect(observed).toEqual(["began upload out", "ended upload out 0", "began upload out"]);
  release();
  await running.finish();
  const contents = server.generations.map((one) =>
    server.contentOf(one, "version")?.subarray(0, 1).toString(),
  );
  expect(contents).toEqual(["2", "3"]);
  expect(committed.map(({ generation }) => generation)).toEqual([1, 2]);
  expect(count(server, (asked) => isChunk(asked) && asked.sha256 === ofKept)).toBe(1);
});

test("however slow the uplink, every second cut arrives", async () => {
  const server = await startServer();
  server.bytesPerSecond = 8_000;
  const { out, start, observed } = await newMachine(server, { sizes: tinySizes });
  const running = await start({ quiet_seconds: 0.01 });
  // Ends at all only because cuts arrive while newer ones become due.
  while (server.generations.length < 3) {
    await writeFile(join(out, "../beside"), randomBytes(15_000));
    await rename(join(out, "../beside"), join(out, "new"));
    await delay(60);
  }
  await running.finish();
  const outcomes = observed.filter((line) => line.startsWith("ended"));
  const dropped = outcomes.map((line) => line === "ended upload out 0");
  expect(dropped).toContain(true);
  expect(dropped.some((one, index) => one && dropped[index + 1])).toBe(false);
});

test("two rules of one attempt: their numbers rise together, each builds on its own", async () => {
  const server = await startServer();
  const machine = await newMachine(server, { sizes: tinySizes });
  const { out, start } = machine;
  const running = await Promise.all([start(), start({ prefix: "other/", pattern: "^a" })]);
  for (const step of [1, 2, 3]) {
    await writeFile(join(out, "a"), randomBytes(5000));
    await writeFile(join(out, "b"), randomBytes(3000));
    await server.until(
      () =>
        (server.headOf("ckpt/")?.generation ?? 0) >= step &&
        (server.headOf("other/")?.generation ?? 0) >= step,
    );
  }
  await Promise.all(running.map((one) => one.finish()));
  const numbers = server.generations.map(({ generation }) => generation);
  expect(numbers).toEqual([...numbers].sort((one, other) => one - other));
  expect([server.headOf("ckpt/")?.head.files, server.headOf("other/")?.head.files]).toEqual([2, 1]);
});

test("a number that another rule's commit has overtaken is given up, with what was sent under it", async () => {
  const server = await startServer();
  const { out, start, problems } = await newMachine(server, { sizes: tinySizes });
  const content = randomBytes(5000);
  await writeFile(join(out, "a"), content);
  const last = digest("sha256", content.subarray(4096));
  server.faults.push(({ sha256 }) =>
    sha256 === last && server.generations.length === 0 ? { kind: "answer", status: 500 } : undefined,
  );
  const running = await start({ pattern: "^a" });
  await server.until(() => server.sentBytes.put_chunk === 4096);
  await writeFile(join(out, "b"), "b");
  const other = await start({ prefix: "other/", pattern: "^b" });
  await server.until(() => server.generations.length === 2);
  await Promise.all([running.finish(), other.finish()]);
  expect(server.generations.map(({ prefix, generation }) => [prefix, generation])).toEqual([
    ["other/", 2],
    ["ckpt/", 3],
  ]);
  expect(problems).toEqual([expect.stringContaining("to be tried again")]);
});

test("an append sends what was appended, again and again, whatever the sizes", async () => {
  const server = await startServer();
  const { out, start } = await newMachine(server, { sizes: tinySizes });
  const path = join(out, "trajectory");
  let content = randomBytes(600_123);
  await writeFile(path, content);
  const running = await start();
  await server.until(() => server.generations.length === 1);
  for (let appends = 1; appends <= 20; appends += 1) {
    const before = server.sentBytes.put_chunk;
    const part = randomBytes(2 * tinySizes.chunkBytes + 37 * (appends % 3));
    content = Buffer.concat([content, part]);
    await appendFile(path, part);
    await server.until(() => server.generations.length === appends + 1);
    expect(server.sentBytes.put_chunk - before).toBeLessThan(part.byteLength * 1.02);
  }
  await running.finish();
  const head = server.head;
  expect(head && server.contentOf(head, "trajectory")?.equals(content)).toBe(true);
});

test("packs are filled anew: what is stored stays in proportion to what is there", async () => {
  const server = await startServer();
  const { out, start } = await newMachine(server, { sizes: tinySizes });
  for (let index = 0; index < 100; index += 1) await writeFile(join(out, `f${index}`), randomBytes(300));
  const running = await start({ keep: 1 });
  for (let round = 1; round <= 40; round += 1) {
    await server.until(() => server.generations.length === round);
    for (const index of [round, round + 30, round + 60]) {
      await writeFile(join(out, `f${index % 100}`), randomBytes(300));
    }
  }
  await running.finish();
  const chunks = server.head?.head.chunks ?? [];
  const storedBytes = chunks.reduce((sum, [, , , bytes]) => sum + bytes, 0);
  expect(storedBytes).toBeLessThan(2 * 100 * 300);
  expect(chunks.length).toBeLessThan(2 * tinySizes.undersizedMax);
});
