/** Everything together: attempts that edit, are killed and resumed elsewhere. What is resumed is what was committed last. */
import { appendFile, chmod, mkdir, rename, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { expect, test } from "vitest";
import { leftoversOf, type Machine, newMachine, startServer, tinySizes, treeOf } from "./bench.ts";
import { Random } from "./random.ts";

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

/** Ends the attempt in one of the ways in which attempts end. */
async function end(random: Random, machine: Machine, running: Awaited<ReturnType<Machine["start"]>>) {
  if (random.below(3) === 0) return await running.finish();
  await delay(random.below(250));
  machine.attempt.abort(new Error("killed"));
  await running.abandon();
}

test.each([1, 2, 3, 4])(
  "random edits, kills and resumes, seed %i: a resume brings what was committed last",
  async (seed) => {
    const random = new Random(seed);
    const server = await startServer();
    server.bytesPerSecond = 400_000;
    let committed: Record<string, string> = {};
    for (let attempt = 1; attempt <= 12; attempt += 1) {
      const machine = await newMachine(server, { sizes: tinySizes });
      const restored = await machine.restore();
      expect(await treeOf(machine.out)).toEqual(committed);
      const running = await machine.start({ quiet_seconds: 0.1, keep: 2 }, restored ? [restored] : []);
      for (let rounds = 1 + random.below(3); rounds > 0; rounds -= 1) {
        const before = server.generations.length;
        for (let edits = 1 + random.below(5); edits > 0; edits -= 1) await edit(random, machine.out);
        const now = await treeOf(machine.out);
        const isBare = Object.values(now).every((entry) => entry.startsWith("directory"));
        if (rounds > 1) {
          // An edit may have changed nothing, and a directory without files is not cut.
          await Promise.race([server.until(() => server.generations.length > before), delay(1500)]);
        } else await end(random, machine, running);
        // Nothing was edited meanwhile: whatever was committed since is this.
        if (server.generations.length > before && !isBare) committed = now;
      }
      expect(await leftoversOf(machine)).toEqual([]);
      await rm(join(machine.dir, "beside"), { force: true });
    }
    expect(server.violations).toEqual([]);
  },
  120_000,
);
