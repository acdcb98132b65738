/** Where a cut waits for its upload when the file system makes no links, shares blocks, or is full. */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { mkdir, readdir, statfs, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { isOwnFile } from "../../src/transfer/object-key.ts";
import { canMount, mountSmall } from "../small-disk.ts";
import { leftoversOf, type Machine, newMachine, startServer, tinySizes } from "./bench.ts";
import type { Asked, Fault, SnapshotServer } from "./snapshot-server.ts";

const settings = { sizes: tinySizes };

/** What the file system says to `link` and to a copy that shares blocks; undefined: what it says anyway. */
const system = vi.hoisted((): { link?: string; clone?: "works" } => ({}));
const clones = vi.hoisted((): string[] => []);

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>();
  const link: typeof real.link = async (from, to) => {
    if (system.link === undefined) return real.link(from, to);
    throw Object.assign(new Error(`${system.link}: link`), { code: system.link });
  };
  const copyFile: typeof real.copyFile = async (from, to, mode) => {
    const isClone = mode === constants.COPYFILE_FICLONE_FORCE;
    if (!isClone || system.clone === undefined) return real.copyFile(from, to, mode);
    clones.push(String(to));
    return real.copyFile(from, to);
  };
  return { ...real, link, copyFile, default: { ...real, link, copyFile } };
});

beforeEach(() => {
  delete system.link;
  delete system.clone;
  clones.length = 0;
});

const isChunk = ({ step }: Asked) => step === "put_chunk";

/** No chunk gets through until it is called; the newest hold counts. */
function holdChunks(server: SnapshotServer): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  const rule = (asked: Asked): Fault | undefined =>
    isChunk(asked) ? { kind: "hold", until: promise } : undefined;
  server.faults.unshift(rule);
  return () => {
    server.faults.splice(server.faults.indexOf(rule), 1);
    resolve();
  };
}

/** Of each hidden directory of ours in here. */
async function linksIn(directory: string): Promise<number[]> {
  const own = (await readdir(directory)).filter(isOwnFile);
  return Promise.all(own.map(async (name) => (await readdir(join(directory, name))).length));
}

/** The upload waits until the cut's file has been overwritten in place. */
async function overwrittenMeanwhile(server: SnapshotServer, { out, start }: Machine) {
  const first = randomBytes(6000);
  await writeFile(join(out, "model"), first);
  const release = holdChunks(server);
  const running = await start({ quiet_seconds: 0.3 });
  await server.until(() => server.asked.some(isChunk));
  await writeFile(join(out, "model"), randomBytes(6000), { flag: "r+" });
  release();
  await server.until(() => server.generations.length >= 1);
  const [generation] = server.generations;
  if (!generation) throw new Error("there is none");
  await running.finish();
  return { first, content: server.contentOf(generation, "model") };
}

test.each(["EXDEV", "EPERM", "EACCES", "EMLINK", "EOPNOTSUPP"])(
  "no links (%s): large files are copied, so that a write in place comes too late for the cut",
  async (code) => {
    system.link = code;
    const server = await startServer();
    const machine = await newMachine(server, { sizes: { ...tinySizes, chunkBytes: 1000 } });
    const { first, content } = await overwrittenMeanwhile(server, machine);
    expect(content?.equals(first)).toBe(true);
    expect([machine.problems, server.violations, await leftoversOf(machine)]).toEqual([[], [], []]);
  },
);

test("an error of the disk while linking is not taken for a file system without links: the cut is tried again", async () => {
  system.link = "EIO";
  const server = await startServer();
  const { out, start, problems } = await newMachine(server, settings);
  await writeFile(join(out, "model"), randomBytes(6000));
  const running = await start();
  await expect.poll(() => problems).toEqual([expect.stringContaining("to be tried again")]);
  expect(server.generations).toEqual([]);
  delete system.link;
  await running.finish();
  expect(server.generations.length).toBe(1);
});

test("a file system that shares blocks: copies are clones of it, and whole", async () => {
  system.link = "EPERM";
  system.clone = "works";
  const server = await startServer();
  const machine = await newMachine(server, { sizes: { ...tinySizes, chunkBytes: 1000 } });
  const { first, content } = await overwrittenMeanwhile(server, machine);
  expect(content?.equals(first)).toBe(true);
  expect(clones.length).toBeGreaterThan(0);
  expect([machine.problems, await leftoversOf(machine)]).toEqual([[], []]);
});

test.skipIf(!canMount())(
  "a checkpoint directory that is a mount: links go inside it, and are no part of the snapshot",
  async () => {
    const server = await startServer();
    const machine = await newMachine(server, settings);
    await mountSmall(machine.out);
    await writeFile(join(machine.out, "model"), randomBytes(6000));
    const release = holdChunks(server);
    const running = await machine.start();
    await server.until(() => server.asked.some(isChunk));
    expect(await linksIn(machine.out)).toEqual([1]);
    expect(await linksIn(machine.dir)).toEqual([0]);
    release();
    await running.finish();
    expect(server.generations.map(({ entries }) => entries.map(({ path }) => path))).toEqual([["model"]]);
    expect([machine.problems, await leftoversOf(machine)]).toEqual([[], []]);
  },
);

test.skipIf(!canMount())(
  "no room for copies: said so, linked instead, and nothing of the copy stays to take the job's room",
  async () => {
    const server = await startServer();
    const machine = await newMachine(server, {
      sizes: { ...tinySizes, smallBytes: 100_000, chunkBytes: 100_000 },
    });
    const disk = join(machine.dir, "disk");
    await mountSmall(disk);
    const out = join(disk, "out");
    await mkdir(out);
    const contents = { large: randomBytes(2_500_000), small: randomBytes(90_000) };
    await writeFile(join(out, "large"), contents.large);
    await writeFile(join(out, "small"), contents.small);
    // Room for less than the small one, which would be copied.
    const { bavail, bsize } = await statfs(disk);
    await writeFile(join(disk, "ballast"), randomBytes(bavail * bsize - 50_000));
    const releaseFirst = holdChunks(server);
    const running = await machine.start({ local_path: "disk/out" });
    await server.until(() => server.asked.some(isChunk));
    // A large file that is written in place would be copied too, from its next cut on.
    contents.large.fill("x");
    await writeFile(join(out, "large"), contents.large, { flag: "r+" });
    const releaseSecond = holdChunks(server);
    releaseFirst();
    await expect.poll(() => machine.problems.join()).toContain("copied from now on");
    const asked = server.asked.filter(isChunk).length;
    await server.until(() => server.asked.filter(isChunk).length > asked);
    expect((await statfs(disk)).bavail * bsize).toBeGreaterThan(40_000);
    releaseSecond();
    await server.until(() => server.generations.length === 1);
    await running.finish();
    const { head } = server;
    for (const [name, content] of Object.entries(contents)) {
      expect(head && server.contentOf(head, name)?.equals(content)).toBe(true);
    }
    expect(machine.problems).toEqual([
      expect.stringContaining("no room beside"),
      expect.stringContaining("copied from now on"),
    ]);
    expect((await readdir(disk)).filter(isOwnFile)).toEqual([]);
  },
);

test.skipIf(!canMount())(
  "no room for copies, and no links: no generation, told, and this node's fault at the end",
  async () => {
    system.link = "EPERM";
    const server = await startServer();
    const machine = await newMachine(server, settings);
    const disk = join(machine.dir, "disk");
    await mountSmall(disk);
    const out = join(disk, "out");
    await mkdir(out);
    await writeFile(join(out, "large"), randomBytes(3_000_000));
    const before = await statfs(disk);
    const running = await machine.start({ local_path: "disk/out" });
    await expect.poll(() => machine.problems.join()).toContain("to be tried again");
    await expect(running.finish()).rejects.toMatchObject({ fault: "node" });
    expect(server.generations).toEqual([]);
    // A copy that found no room is gone at once.
    expect((await statfs(disk)).bavail).toBe(before.bavail);
    expect((await readdir(disk)).filter(isOwnFile)).toEqual([]);
  },
);
