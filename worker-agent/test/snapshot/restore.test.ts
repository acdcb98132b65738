import { randomBytes } from "node:crypto";
import { appendFile, mkdir, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { failureOf } from "../transfer/bench.ts";
import { leftoversOf, newMachine, prefix, startServer, tinySizes, treeOf } from "./bench.ts";
import type { Asked, Fault, SnapshotServer } from "./snapshot-server.ts";

const settings = { sizes: tinySizes };

/** Two generations by one attempt: `version` differs, `same` does not. */
async function twoGenerations(server: SnapshotServer) {
  const machine = await newMachine(server, settings);
  await mkdir(join(machine.out, "sub"));
  await writeFile(join(machine.out, "sub/same"), randomBytes(9000));
  await writeFile(join(machine.out, "small"), "small");
  await writeFile(join(machine.out, "version"), Buffer.alloc(5000, "1"));
  const running = await machine.start();
  await server.until(() => server.generations.length === 1);
  const older = await treeOf(machine.out);
  await writeFile(join(machine.out, "version"), Buffer.alloc(5000, "2"));
  await running.finish();
  return { older, newer: await treeOf(machine.out) };
}

/** A chunk that only the newest generation names. */
function ownChunkOf(server: SnapshotServer): string {
  const { head } = server;
  const own = head?.head.chunks.find(([, generation]) => generation === head.generation);
  if (!own) throw new Error("the newest generation has no chunk of its own");
  return own[2];
}

function times(count: number, which: (asked: Asked) => boolean, fault: Fault) {
  let left = count;
  return (asked: Asked) => (which(asked) && left-- > 0 ? fault : undefined);
}

test("no generation yet: nothing is restored, and nothing is wrong", async () => {
  const server = await startServer();
  const { out, restore, problems } = await newMachine(server, settings);
  expect(await restore()).toBeUndefined();
  expect([await readdir(out), problems]).toEqual([[], []]);
});

const passing: [string, Fault][] = [
  ["500s", { kind: "answer", status: 500 }],
  ["resets", { kind: "reset" }],
  ["bodies cut short", { kind: "cut", afterBytes: 100 }],
  ["expired URLs", { kind: "answer", status: 403, code: "AccessDenied" }],
  ["one flipped bit", { kind: "flips" }],
];

test.each(passing)("the newest generation is restored in spite of %s", async (_what, fault) => {
  const server = await startServer();
  const { newer } = await twoGenerations(server);
  const { out, restore, restored } = await newMachine(server, settings);
  server.faults.push(times(1, ({ step }) => step === "get_manifest", fault));
  server.faults.push(times(1, ({ step }) => step === "get_chunk", fault));
  await restore();
  expect(await treeOf(out)).toEqual(newer);
  expect(restored).toEqual([{ prefix, attempt: 1, generation: 2, files: 3, bytes: 14_005 }]);
  expect(server.asked.some(({ step }) => step === "doubt")).toBe(false);
});

test("after a resume nothing is read or sent again that has not changed, and times keep their nanoseconds", async () => {
  const server = await startServer();
  await twoGenerations(server);
  const sent = server.sentBytes.put_chunk;
  const { out, restore, start, committed } = await newMachine(server, settings);
  const restored = await restore();
  const running = await start({}, restored ? [restored] : []);
  await running.finish();
  expect(server.generations.length).toBe(2);
  const again = await start({}, restored ? [restored] : []);
  await appendFile(join(out, "sub/same"), "and more");
  await again.finish();
  expect(committed.map(({ generation }) => generation)).toEqual([1]);
  expect(server.sentBytes.put_chunk - sent).toBeLessThan(9000 - 8192 + 10);
  const [, second, third] = server.generations;
  const timeOf = (generation = second) => {
    const entry = generation?.entries.find(({ path }) => path === "version");
    return entry?.type === "file" ? entry.mtime_ns : undefined;
  };
  expect(timeOf(third)).toBe(timeOf());
  expect(third?.head.base).toEqual({ attempt: 1, generation: 2 });
});

test("a rule that cuts another directory than was restored builds on the same generation", async () => {
  const server = await startServer();
  await twoGenerations(server);
  const { dir, restore, start } = await newMachine(server, settings);
  const restored = await restore();
  await mkdir(join(dir, "other"));
  await writeFile(join(dir, "other/a"), "a");
  await (await start({ local_path: "other" }, restored ? [restored] : [])).finish();
  expect(server.head?.head).toMatchObject({ base: { attempt: 1, generation: 2 }, files: 1 });
});

test("a rule without a restore builds on the head that is there", async () => {
  const server = await startServer();
  await twoGenerations(server);
  const { out, start } = await newMachine(server, settings);
  await writeFile(join(out, "a"), "a");
  await (await start()).finish();
  expect(server.head?.head).toMatchObject({ attempt: 2, base: { attempt: 1, generation: 2 }, files: 1 });
});

test("a chunk with other bytes is doubted, and the resume goes back a generation", async () => {
  const server = await startServer();
  const { older } = await twoGenerations(server);
  const key = server.keyOf({ attempt: 1, generation: 2 }, ownChunkOf(server));
  server.objects.set(key, randomBytes(server.objects.get(key)?.byteLength ?? 0));
  const { out, restore, problems } = await newMachine(server, settings);
  await restore();
  expect(await treeOf(out)).toEqual(older);
  expect(problems).toEqual([expect.stringContaining("damaged")]);
});

test("a bit that flips on the way twice: doubted in vain, each node gives the job back, the head stays", async () => {
  const server = await startServer();
  const { newer } = await twoGenerations(server);
  const chunk = ownChunkOf(server);
  server.faults.push(({ step, sha256 }) =>
    step === "get_chunk" && sha256 === chunk ? { kind: "flips" } : undefined,
  );
  const first = await newMachine(server, settings, "machine-1");
  const failure = await failureOf(first.restore());
  expect([failure.fault, failure.message]).toEqual(["node", expect.stringContaining(chunk)]);
  expect([await readdir(first.out), await leftoversOf(first)]).toEqual([[], []]);
  expect(server.head?.generation).toBe(2);
  const second = await newMachine(server, settings, "machine-2");
  expect((await failureOf(second.restore())).fault).toBe("node");
  server.faults.pop();
  const third = await newMachine(server, settings, "machine-3");
  await third.restore();
  expect(await treeOf(third.out)).toEqual(newer);
});

test("a chunk that is gone: back to the generation before, at once", async () => {
  const server = await startServer();
  const { older } = await twoGenerations(server);
  server.objects.delete(server.keyOf({ attempt: 1, generation: 2 }, ownChunkOf(server)));
  const { out, restore } = await newMachine(server, settings);
  await restore();
  expect(await treeOf(out)).toEqual(older);
});

test("a chunk that only this node misses: the attempt is released, the head stays", async () => {
  const server = await startServer();
  await twoGenerations(server);
  server.faults.push(({ step }) =>
    step === "get_chunk" ? { kind: "answer", status: 404, code: "NoSuchKey" } : undefined,
  );
  const { out, restore } = await newMachine(server, settings);
  const failure = await failureOf(restore());
  expect([failure.fault, server.head?.generation, await readdir(out)]).toEqual(["storage", 2, []]);
});

test("a manifest with other bytes is doubted as such", async () => {
  const server = await startServer();
  const { older } = await twoGenerations(server);
  const { head } = server;
  if (!head) throw new Error("no head");
  server.objects.delete(server.keyOf(head, `manifest-${head.manifest.sha256}`));
  const { out, restore } = await newMachine(server, settings);
  await restore();
  expect(await treeOf(out)).toEqual(older);
});

test("all generations lost: the attempt fails and says so, never silently from zero", async () => {
  const server = await startServer();
  await twoGenerations(server);
  const same = server.generations[0]?.head.chunks.find((chunk) =>
    server.generations[1]?.head.chunks.some(([, , sha256]) => sha256 === chunk[2]),
  );
  server.objects.delete(server.keyOf({ attempt: 1, generation: 1 }, same?.[2] ?? ""));
  const { out, restore } = await newMachine(server, settings);
  const failure = await failureOf(restore());
  expect([failure.fault, failure.message]).toEqual(["config", expect.stringContaining("lost")]);
  expect(await readdir(out)).toEqual([]);
});

test("a storage that fails on releases the attempt", async () => {
  const server = await startServer();
  await twoGenerations(server);
  server.faults.push(({ step }) => (step === "get_chunk" ? { kind: "answer", status: 503 } : undefined));
  const failure = await failureOf((await newMachine(server, settings)).restore());
  expect(failure.fault).toBe("storage");
  expect(server.asked.some(({ step }) => step === "doubt")).toBe(false);
});

test("an attempt that ends while it resumes gets its own reason back and leaves nothing", async () => {
  const server = await startServer();
  await twoGenerations(server);
  const machine = await newMachine(server, settings);
  const { promise, resolve } = Promise.withResolvers<void>();
  server.faults.push(({ step }) => (step === "commit" ? { kind: "hold", until: promise } : undefined));
  server.faults.push(({ step }) => {
    if (step === "get_chunk") machine.attempt.abort(new Error("told to stop"));
    return undefined;
  });
  await expect(machine.restore()).rejects.toThrow("told to stop");
  resolve();
  expect([await readdir(machine.out), await leftoversOf(machine)]).toEqual([[], []]);
});

const file = { type: "file", mode: 0o644, mtime_ns: "1", size: 0, pieces: [] };
const malicious: [string, unknown[]][] = [
  ["escapes", [{ ...file, path: "../escaped" }]],
  ["is absolute", [{ ...file, path: "/escaped" }]],
  [
    "leads through a link",
    [
      { type: "link", path: "l", target: ".." },
      { ...file, path: "l/escaped" },
    ],
  ],
];

test.each(malicious)(
  "a manifest with a path that %s is refused as corrupt: nothing is written",
  async (_what, lines) => {
    const server = await startServer();
    const machine = await newMachine(server, settings);
    server.plant(prefix, lines);
    const failure = await failureOf(machine.restore());
    expect([failure.fault, failure.message]).toEqual(["node", expect.stringContaining("not to be trusted")]);
    expect([await readdir(machine.dir), await readdir(machine.out)]).toEqual([["out"], []]);
    expect(server.asked.at(-1)?.step).toBe("doubt");
  },
);

test("no program comes back that runs as the owner of its file: that is another one here", async () => {
  const server = await startServer();
  const { out, restore, start } = await newMachine(server, settings);
  server.plant(prefix, [
    { ...file, path: "setuid", mode: 0o4755 },
    { ...file, path: "setgid", mode: 0o2755 },
    { ...file, path: "plain", mode: 0o1750 },
    { type: "directory", path: "shared", mode: 0o2775, mtime_ns: "1" },
  ]);
  const restored = await restore();
  const modes = Object.entries(await treeOf(out)).map(([path, told]) => [path, told.split(" ")[1]]);
  expect(Object.fromEntries(modes)).toEqual({
    setuid: "755",
    setgid: "755",
    plain: "1750",
    shared: "2775",
  });
  // Nor does that count as a change of the job's.
  await (await start({}, restored ? [restored] : [])).finish();
  expect(server.generations.length).toBe(1);
});

test("a directory that other rules have filled is merged into; a link there is replaced, not followed", async () => {
  const server = await startServer();
  await twoGenerations(server);
  const { dir, out, restore } = await newMachine(server, settings);
  await mkdir(join(dir, "elsewhere"));
  await mkdir(join(out, "sub"));
  await writeFile(join(out, "sub/input"), "input");
  await symlink("../elsewhere", join(out, "version"));
  await restore();
  expect(Object.keys(await treeOf(out)).sort()).toEqual(["small", "sub", "sub/input", "sub/same", "version"]);
  expect(await readdir(join(dir, "elsewhere"))).toEqual([]);
});
