/** Everything together: attempts that edit, are killed and resumed elsewhere. What is resumed is what was committed last. */
import { appendFile, chmod, mkdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { leftoversOf, newMachine, startServer, tinySizes, treeOf } from "./bench.ts";
import { digest, type Generation } from "./generation-storage.ts";
import { Random } from "./random.ts";
import type { SnapshotServer } from "./snapshot-server.ts";

const names = ["a", "b", "c/d", "c/e", "f/g/h", "i"];

async function edit(random: Random, out: string): Promise<void> {
  const path = join(out, random.pick(names));
  await mkdir(join(path, ".."), { recursive: true });
  const size = random.pick([0, 1, 300, 511, 512, 4096, 10_000, 30_000]) + random.below(3);
  switch (random.below(9)) {
    case 0:
    case 1:
      return await writeFile(path, random.bytes(size));
    case 2:
    case 3:
      return await appendFile(path, random.bytes(size));
    case 4:
      return await rm(path, { force: true });
    case 5:
      return await truncate(path, random.below(5000)).catch(() => undefined);
    case 6: {
      await writeFile(join(out, "../beside"), random.bytes(size));
      return await rename(join(out, "../beside"), path);
    }
    case 7:
      await rm(join(out, "link"), { force: true });
      return await symlink(random.pick(["a", "/etc/passwd", "../..", "c"]), join(out, "link"));
    default:
      await mkdir(join(out, "empty"), { recursive: true });
      return await chmod(join(out, "empty"), random.pick([0o700, 0o755]));
  }
}

type Tree = Record<string, string>;

/** What a generation holds, put together from the fake's storage alone; told as `treeOf` tells it. */
function committedTree(server: SnapshotServer, generation: Generation): Tree {
  const tree: Tree = {};
  for (const entry of generation.entries) {
    if (entry.type === "link") {
      tree[entry.path] = `link to ${entry.target}`;
      continue;
    }
    const attributes = `${entry.mode.toString(8)} ${BigInt(entry.mtime_ns) / 1000n}`;
    const content = server.contentOf(generation, entry.path)?.toString("base64");
    tree[entry.path] = entry.type === "file" ? `file ${attributes} ${content}` : `directory ${attributes}`;
  }
  return tree;
}

/** A failure must not print megabytes. */
function nameOf(tree: Tree): string {
  return digest("sha256", Buffer.from(JSON.stringify(Object.entries(tree).sort()))).slice(0, 12);
}

test.each([1, 2, 3, 4])(
  "random edits, kills and resumes, seed %i: what is committed was there, and a resume brings the newest",
  async (seed) => {
    const random = new Random(seed);
    const server = await startServer();
    server.bytesPerSecond = 2_000_000;
    let resumes = 0;
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      const before = server.generations.length;
      const newest = server.head ? committedTree(server, server.head) : {};
      const machine = await newMachine(server, { sizes: tinySizes, patienceFloorMs: 60_000 });
      const restored = await machine.restore();
      resumes += restored ? 1 : 0;
      const states = [nameOf(await treeOf(machine.out))];
      expect(states).toEqual([nameOf(newest)]);
      const running = await machine.start({ quiet_seconds: 0.05, keep: 50 }, restored ? [restored] : []);
      for (let rounds = 1 + random.below(3); rounds > 0; rounds -= 1) {
        for (let edits = 1 + random.below(5); edits > 0; edits -= 1) {
          await edit(random, machine.out);
          states.push(nameOf(await treeOf(machine.out)));
        }
        await delay(random.below(700));
      }
      const finished = random.below(3) === 0;
      if (finished) await running.finish();
      else {
        machine.attempt.abort(new Error("killed"));
        await running.abandon();
      }
      // Each is a state that there was, and none is older than the one before.
      const committed = server.generations.slice(before).map((one) => nameOf(committedTree(server, one)));
      const order = committed.map((name) => states.lastIndexOf(name));
      expect(order).not.toContain(-1);
      expect(order).toEqual([...order].sort((one, other) => one - other));
      const isBare = Object.values(await treeOf(machine.out)).every((entry) => entry.startsWith("directory"));
      if (finished && !isBare)
        expect(nameOf(committedTree(server, server.head as Generation))).toBe(states.at(-1));
      expect(await leftoversOf(machine)).toEqual([]);
      await rm(join(machine.dir, "beside"), { force: true });
    }
    expect(resumes).toBeGreaterThan(3);
    expect(server.violations).toEqual([]);
  },
  120_000,
);
