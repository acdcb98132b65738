import { appendFile, chmod, mkdir, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import { Staging } from "../../src/snapshot/staging.ts";
import { isOwnFile } from "../../src/transfer/object-key.ts";
import { failureOf } from "../transfer/bench.ts";
import { leftoversOf, newMachine, startServer, tinySizes, treeOf } from "./bench.ts";
import type { SnapshotServer } from "./snapshot-server.ts";

/** Does it again and again until the test is over. */
function keepDoing(everyMs: number, work: (count: number) => Promise<void>): () => Promise<void> {
  let over = false;
  const loop = (async () => {
    for (let count = 1; !over; count += 1) {
      await work(count);
      await delay(everyMs);
    }
  })();
  const stop = async () => {
    over = true;
    await loop;
  };
  onTestFinished(stop);
  return stop;
}

/** 100,000 bytes that say everywhere which writing of the file they are from. */
function writing(count: number): string {
  const lines = Array.from(
    { length: 10_000 },
    (_, line) => `${count % 10_000}`.padStart(4) + `${line}`.padStart(5),
  );
  return `${lines.join("\n")}\n`;
}

function isOneWriting(content: Buffer | undefined): boolean {
  const text = content?.toString() ?? "";
  return text === writing(Number(text.slice(0, 4)));
}

/** Lets no chunk through until it is resolved. */
function holdChunks(server: SnapshotServer): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.faults.push(({ step }) => (step === "put_chunk" ? { kind: "hold", until: promise } : undefined));
  return () => {
    server.faults.length = 0;
    resolve();
  };
}

function chunksAsked(server: SnapshotServer): number {
  return server.asked.filter(({ step }) => step === "put_chunk").length;
}

test("a checkpoint of several files is never committed torn", async () => {
  const server = await startServer();
  const { out, start } = await newMachine(server, { sizes: tinySizes, patienceFloorMs: 60_000 });
  const running = await start({ quiet_seconds: 0.25 });
  for (let step = 1; step <= 5; step += 1) {
    for (const name of ["model", "optimizer", "step"]) {
      await writeFile(join(out, name), Buffer.alloc(3000, `${step} `));
      await delay(60);
    }
    await delay(step % 2 === 0 ? 600 : 100);
  }
  await running.finish();
  expect(server.generations.length).toBeGreaterThan(1);
  for (const generation of server.generations) {
    const [model, optimizer, step] = ["model", "optimizer", "step"].map((name) =>
      server.contentOf(generation, name)?.toString(),
    );
    expect([generation.head.quiet, optimizer, step]).toEqual([true, model, model]);
  }
});

test("a command killed in the middle of a checkpoint leaves the one before; one that ended in its own time is cut", async () => {
  const server = await startServer();
  const { out, start, problems } = await newMachine(server, { sizes: tinySizes });
  await writeFile(join(out, "model"), "whole");
  const running = await start({ quiet_seconds: 0.3 });
  await server.until(() => server.generations.length === 1);
  await writeFile(join(out, "model"), "hal");
  await running.finish({ cutOff: true });
  expect(server.generations.length).toBe(1);
  expect(problems).toEqual([expect.stringContaining("the snapshot before stays")]);

  const again = await start({ quiet_seconds: 0.3 });
  await writeFile(join(out, "model"), "at its end");
  await again.finish({ cutOff: false });
  expect(server.head && server.contentOf(server.head, "model")?.toString()).toBe("at its end");
});

test("what a killed command had written before its last rest is cut", async () => {
  const server = await startServer();
  const { out, start } = await newMachine(server, { sizes: tinySizes });
  const running = await start({ quiet_seconds: 0.3, min_interval_seconds: 3600 });
  await writeFile(join(out, "model"), "first");
  await server.until(() => server.generations.length === 1);
  await writeFile(join(out, "model"), "second");
  await delay(400);
  await running.finish({ cutOff: true });
  expect(server.head && server.contentOf(server.head, "model")?.toString()).toBe("second");
});

test("a file rewritten in place all the time still arrives over a slow uplink", async () => {
  const server = await startServer();
  server.bytesPerSecond = 40_000;
  const { out, start, problems } = await newMachine(server, { sizes: tinySizes });
  await writeFile(join(out, "steady"), "steady");
  const stop = keepDoing(150, (count) => writeFile(join(out, "state"), writing(count)));
  const running = await start({ quiet_seconds: 0.02 });
  await server.until(() => server.generations.length === 2);
  await stop();
  for (const generation of server.generations) {
    expect(isOneWriting(server.contentOf(generation, "state"))).toBe(true);
  }
  expect(problems).toEqual([expect.stringContaining("it is copied from now on")]);
  await running.finish();
});

test("the same with a file that is replaced: it is never in the way of its own cut", async () => {
  const server = await startServer();
  server.bytesPerSecond = 300_000;
  const { out, start, problems } = await newMachine(server, { sizes: tinySizes });
  const stop = keepDoing(150, async (count) => {
    await writeFile(join(out, "../beside"), writing(count));
    await rename(join(out, "../beside"), join(out, "state"));
  });
  const running = await start({ quiet_seconds: 0.02 });
  await server.until(() => server.generations.length === 2);
  await stop();
  await running.finish();
  for (const generation of server.generations) {
    expect(isOneWriting(server.contentOf(generation, "state"))).toBe(true);
  }
  expect(problems).toEqual([]);
});

test("renamed over, or deleted, while it uploads: what was cut arrives", async () => {
  const server = await startServer();
  const { out, start, problems } = await newMachine(server, { sizes: tinySizes });
  const release = holdChunks(server);
  await writeFile(join(out, "replaced"), Buffer.alloc(5000, "old"));
  await writeFile(join(out, "deleted"), Buffer.alloc(6000, "del"));
  const running = await start({ min_interval_seconds: 3600 });
  await server.until(() => chunksAsked(server) > 0);
  await writeFile(join(out, "new"), Buffer.alloc(5000, "new"));
  await rename(join(out, "new"), join(out, "replaced"));
  await rm(join(out, "deleted"));
  release();
  await server.until(() => server.generations.length === 1);
  await running.finish();
  const [first, second] = server.generations;
  if (!first || !second) throw new Error("there should be two");
  expect(server.contentOf(first, "replaced")?.toString()).toBe(Buffer.alloc(5000, "old").toString());
  expect(server.contentOf(first, "deleted")?.byteLength).toBe(6000);
  expect(server.contentOf(second, "replaced")?.toString()).toBe(Buffer.alloc(5000, "new").toString());
  expect(server.contentOf(second, "deleted")).toBeUndefined();
  expect(problems).toEqual([]);
});

test.each(["small", "large"])(
  "a %s log that never rests spoils nothing, and arrives as it was",
  async (size) => {
    const server = await startServer();
    server.bytesPerSecond = 100_000;
    const { out, start, problems } = await newMachine(server, { sizes: tinySizes, patienceFloorMs: 300 });
    await writeFile(join(out, "log"), size === "large" ? Buffer.alloc(20_000, "begin\n") : "begin\n");
    await writeFile(join(out, "model"), Buffer.alloc(30_000, "m"));
    let written = size === "large" ? Buffer.alloc(20_000, "begin\n").toString() : "begin\n";
    const stop = keepDoing(10, async (count) => {
      written += `line ${count}\n`;
      await appendFile(join(out, "log"), `line ${count}\n`);
    });
    const running = await start({ quiet_seconds: 0.03 });
    await server.until(() => server.generations.length === 3);
    await stop();
    await running.finish();
    const logs = server.generations.map((generation) => ({
      quiet: generation.head.quiet,
      log: server.contentOf(generation, "log")?.toString() ?? "none",
    }));
    for (const { log } of logs) expect(written.startsWith(log)).toBe(true);
    expect(logs.slice(0, 3).map(({ quiet }) => quiet)).toEqual([false, false, false]);
    expect(logs.at(-1)).toEqual({ quiet: true, log: written });
    expect(problems).toEqual([]);
  },
);

test("a truncated and rewritten log is never mixed with its former self", async () => {
  const server = await startServer();
  const { out, start } = await newMachine(server, { sizes: tinySizes, patienceFloorMs: 50 });
  const stop = keepDoing(3, (count) => writeFile(join(out, "log"), Buffer.alloc(2000 + count, `${count};`)));
  const running = await start({ quiet_seconds: 0.03, keep: 50 });
  await server.until(() => server.generations.length === 3);
  await stop();
  await running.finish();
  for (const generation of server.generations) {
    const log = server.contentOf(generation, "log") ?? Buffer.alloc(0);
    // Opened, and not written yet: a state that it had.
    if (log.byteLength === 0) continue;
    expect(log.equals(Buffer.alloc(log.byteLength, log.subarray(0, log.indexOf(";") + 1)))).toBe(true);
  }
});

test("five thousand small files go up in few chunks, and ten changed ones in one", async () => {
  const server = await startServer();
  const { out, start, committed } = await newMachine(server);
  for (let index = 0; index < 5000; index += 1) {
    if (index % 100 === 0) await mkdir(join(out, `d${index / 100}`));
    await writeFile(join(out, `d${Math.floor(index / 100)}/f${index}`), `${index} `.repeat(100));
  }
  const running = await start();
  await server.until(() => server.generations.length === 1);
  const [first] = server.generations;
  expect([first?.head.files, first?.head.chunks.length]).toEqual([5000, 1]);
  for (let index = 0; index < 10; index += 1) await writeFile(join(out, `d0/f${index}`), "changed");
  await running.finish();
  expect(server.head?.head).toMatchObject({ files: 5000, generation: 2 });
  expect(server.head?.head.chunks.length).toBe(2);
  expect(committed[1]?.bytesSent).toBeLessThan(1_000_000); // the manifest
  expect(server.violations).toEqual([]);
});

test("what cannot be read is told, and fails the end by its name: no generation without it", async () => {
  const server = await startServer();
  const { out, start, problems } = await newMachine(server);
  await writeFile(join(out, "good"), "good");
  await writeFile(Buffer.concat([Buffer.from(`${out}/bad-`), Buffer.from([0xff])]), "bad");
  const running = await start();
  await expect.poll(() => problems.join()).toContain("not valid UTF-8");
  const failure = await failureOf(running.finish());
  expect([failure.fault, failure.message]).toEqual(["config", expect.stringContaining("bad-")]);
  expect(server.generations).toEqual([]);
});

test("a pattern says what is cut", async () => {
  const server = await startServer();
  const { out, start } = await newMachine(server);
  await mkdir(join(out, "sub/empty"), { recursive: true });
  await writeFile(join(out, "sub/a.pt"), "a");
  await writeFile(join(out, "b.log"), "b");
  await symlink("a.pt", join(out, "sub/latest.pt"));
  await (await start({ pattern: "\\.pt$" })).finish();
  expect(server.head?.entries.map(({ path }) => path)).toEqual(["sub", "sub/a.pt", "sub/latest.pt"]);
});

test("links, empty directories, modes and times survive", async () => {
  const server = await startServer();
  const one = await newMachine(server);
  await mkdir(join(one.out, "empty"), { mode: 0o700 });
  await mkdir(join(one.out, "read-only"));
  await writeFile(join(one.out, "read-only/script"), "#!", { mode: 0o751 });
  await writeFile(join(one.out, "nothing"), "");
  await symlink("/etc/passwd", join(one.out, "outside"));
  await symlink("nowhere", join(one.out, "dangling"));
  await symlink("empty", join(one.out, "to-directory"));
  await utimes(join(one.out, "nothing"), 1_600_000_000.123456, 1_600_000_000.123456);
  await chmod(join(one.out, "read-only"), 0o555);
  onTestFinished(() => chmod(join(one.out, "read-only"), 0o755));
  await (await one.start()).finish();
  expect(server.head?.entries.find(({ path }) => path === "outside")).toEqual({
    type: "link",
    path: "outside",
    target: "/etc/passwd",
  });
  const two = await newMachine(server);
  await two.restore();
  onTestFinished(() => chmod(join(two.out, "read-only"), 0o755));
  expect(await treeOf(two.out)).toEqual(await treeOf(one.out));
});

test("a checkpoint written right before the end is in the last generation, and nothing is left beside", async () => {
  const server = await startServer();
  const machine = await newMachine(server);
  const running = await machine.start({ min_interval_seconds: 3600 });
  await writeFile(join(machine.out, "a"), "1");
  await server.until(() => server.generations.length === 1);
  await writeFile(join(machine.out, "a"), "2");
  await running.finish();
  const head = server.head;
  expect(head && server.contentOf(head, "a")?.toString()).toBe("2");
  expect(await leftoversOf(machine)).toEqual([]);
});

test("a directory that was cleared is no generation: the one before stays", async () => {
  const server = await startServer();
  const { out, start, problems } = await newMachine(server);
  await writeFile(join(out, "a"), "1");
  const running = await start();
  await server.until(() => server.generations.length === 1);
  await rm(out, { recursive: true });
  await mkdir(out);
  await expect.poll(() => problems.join()).toContain("is empty");
  await rm(out, { recursive: true });
  await running.finish();
  expect(server.generations.length).toBe(1);
});

test("what is the same as the base is not committed again", async () => {
  const server = await startServer();
  const { out, start, committed } = await newMachine(server);
  await writeFile(join(out, "a"), "1");
  const running = await start();
  await server.until(() => server.generations.length === 1);
  await writeFile(join(out, "b"), "1");
  await server.until(() => server.generations.length === 2);
  const time = 1_600_000_000;
  await utimes(join(out, "b"), time, time);
  await server.until(() => server.generations.length === 3);
  await utimes(join(out, "b"), time, time);
  await running.finish();
  expect(committed.map(({ generation }) => generation)).toEqual([1, 2, 3]);
});

test("what a killed agent left of its cuts is cleared by the next one, and nobody else's", async () => {
  const server = await startServer();
  const machine = await newMachine(server);
  await writeFile(join(machine.out, "a"), Buffer.alloc(2_000_000));
  await mkdir(join(machine.dir, "other"));
  const killed = new Staging(machine.out);
  await killed.link(join(machine.out, "a"));
  await new Staging(join(machine.dir, "other")).write(Buffer.from("x"));
  expect((await leftoversOf(machine)).length).toBe(2);
  const running = await machine.start();
  await running.finish();
  expect((await leftoversOf(machine)).filter(isOwnFile).length).toBe(1);
});
