/** Managed storage: what is asked of the API, what goes by the URLs that it grants, and what ends it all. */
import { randomBytes } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { DownloadRule, UploadRule } from "../../../src/contract/index.ts";
import { failureOf } from "./bench.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { setUpManaged } from "./managed-bench.ts";
import type { ManagedFault, SeenRequest } from "./managed-server.ts";

const outputs: UploadRule = { prefix: "results/", local_path: "out", direction: "upload" };
const checkpoints: UploadRule = { prefix: "ckpt/", local_path: "out", direction: "upload" };
const inputs: DownloadRule = { prefix: "in/", local_path: "data", direction: "download" };

async function setUp(settings?: Parameters<typeof setUpManaged>[0]) {
  const bench = await setUpManaged(settings);
  const out = join(bench.dir, "out");
  await mkdir(out);
  return { ...bench, out };
}

function first(count: number, fault: ManagedFault, meant: (request: SeenRequest) => boolean) {
  let struck = 0;
  return (request: SeenRequest) => (meant(request) && struck++ < count ? fault : undefined);
}

const isPut = ({ wish }: SeenRequest) => wish?.kind === "put";

test("inputs come without any credential on the node, all pages of them", async () => {
  const { server, transfers, context, dir } = await setUp();
  server.pageSize = 3;
  for (let number = 0; number < 10; number += 1) server.put(`in/sub ${number}/ä`, `n${number}`);
  server.put("elsewhere/file", "no");
  const known = await transfers.download([inputs], context);
  expect(known.size).toBe(10);
  expect(await readFile(join(dir, "data/sub 7/ä"), "utf8")).toBe("n7");
  expect(server.seen("list").length).toBe(4);
});

test("wishes for many small files go together, and each URL is used", async () => {
  const { server, transfers, context } = await setUp();
  for (let number = 0; number < 100; number += 1) server.put(`in/${number}`, "x");
  await transfers.download([inputs], context);
  const asked = server.seen("grants").flatMap(({ body }) => (body as { requests: unknown[] }).requests);
  expect([server.seen("grants").length, asked.length, server.seen("get").length]).toEqual([7, 100, 100]);
});

test("outputs go to the attempt's own place, and are recorded once they were found right", async () => {
  const { server, transfers, context, out } = await setUp();
  await mkdir(join(out, "sub"));
  await writeFile(join(out, "image.png"), "png");
  await writeFile(join(out, "sub/empty"), "");
  await transfers.upload(outputs, out, context);
  expect(server.outputs.get("results/image.png")?.contentType).toBe("image/png");
  expect([...server.recorded].sort()).toEqual(["results/image.png", "results/sub/empty"]);
  expect(server.files.size).toBe(0);
  expect(server.seen("outputs").length).toBe(1);
});

test("compressed outputs say so", async () => {
  const { server, transfers, context, out } = await setUp();
  await writeFile(join(out, "notes.txt"), "hello");
  await transfers.upload(outputs, out, { ...context, compression: true });
  const object = server.outputs.get("results/notes.txt.gz");
  expect([object?.contentType, object?.contentEncoding]).toEqual(["text/plain", "gzip"]);
});

test("no outputs at all are fine, and nobody is asked", async () => {
  const { server, transfers, context, out } = await setUp();
  await transfers.upload(outputs, out, context);
  expect(server.requests).toEqual([]);
});

test("an acknowledged output that is not there is uploaded again, and one that never stays fails by name", async () => {
  const { server, transfers, context, out, problems } = await setUp();
  await writeFile(join(out, "a"), "x");
  server.faults.push(first(1, { kind: "forgets" }, isPut));
  await transfers.upload(outputs, out, context);
  expect([...server.recorded]).toEqual(["results/a"]);
  expect(problems.length).toBe(1);
  server.faults.push(() => ({ kind: "forgets" }));
  server.outputs.clear();
  const failure = await failureOf(transfers.upload(outputs, out, context));
  expect(failure.message).toContain(join(out, "a"));
  expect(server.seen("put").length).toBe(2 + 3);
});

test("a large file goes up in parts with their own sums, and becomes visible once", async () => {
  const { server, transfers, context, out } = await setUp();
  const content = randomBytes(20 * 1024 * 1024 + 17);
  await writeFile(join(out, "large"), content);
  server.faults.push(first(2, { kind: "answer", status: 503 }, ({ wish }) => wish?.kind === "part"));
  await transfers.upload(outputs, out, context);
  expect(server.outputs.get("results/large")?.bytes.equals(content)).toBe(true);
  expect([server.changes.length, server.seen("part").length]).toEqual([1, 3 + 2]);
  expect(server.recorded.size).toBe(1);
});

test.each<[string, ManagedFault]>([
  ["lost answer", { kind: "losesAnswer" }],
  ["conflict about what arrived", { kind: "answer", status: 409 }],
  ["upload that nobody knows any more", { kind: "answer", status: 404 }],
])("completing a large file survives a %s", async (_, fault) => {
  const { server, transfers, context, out } = await setUp();
  const content = randomBytes(17 * 1024 * 1024);
  await writeFile(join(out, "large"), content);
  server.faults.push(first(1, fault, ({ route }) => route === "uploads/complete"));
  await transfers.upload(outputs, out, context);
  expect(server.outputs.get("results/large")?.bytes.equals(content)).toBe(true);
  await server.until(() => server.unfinishedUploads === 0);
});

test("checkpoints are mirrored into what people see: put, newest content, delete", async () => {
  const { server, transfers, context, out } = await setUp();
  await writeFile(join(out, "1"), "one");
  const mirror = await transfers.mirror(checkpoints, new Map(), context);
  onTestFinished(() => mirror.abandon());
  await server.until(() => server.files.has("ckpt/1"));
  await writeFile(join(out, "2"), "two");
  await rm(join(out, "1"));
  await mirror.finish();
  expect(server.changes.map(({ kind, key }) => `${kind} ${key}`)).toEqual([
    "put ckpt/1",
    "put ckpt/2",
    "delete ckpt/1",
  ]);
});

test("a file that came from managed storage is not uploaded again, and its removal deletes it", async () => {
  const { server, transfers, context, dir } = await setUp();
  for (const name of ["same", "removed"]) server.put(`in/${name}`, name);
  const known = await transfers.download([inputs], context);
  const mirror = await transfers.mirror({ ...inputs, direction: "upload" }, known, context);
  await rm(join(dir, "data/removed"));
  await mirror.finish();
  expect(server.changes.map(({ kind, key }) => `${kind} ${key}`)).toEqual(["delete in/removed"]);
});

test("wishes of many files go together, and no URL is asked for that is not used", async () => {
  const { server, transfers, context, out } = await setUp();
  for (let number = 0; number < 40; number += 1) await writeFile(join(out, `${number}`), `${number}`);
  await transfers.upload(outputs, out, context);
  const calls = server.seen("grants").length;
  expect(server.seen("put").length).toBe(40);
  expect(calls).toBeLessThanOrEqual(20);
  const asked = server.seen("grants").flatMap(({ body }) => (body as { requests: unknown[] }).requests);
  expect(asked.length).toBe(40);
});

test("a grant that waited for half of its time is thrown away unused", async () => {
  const { server, transfers, context, out } = await setUp({ concurrentRequests: 1 });
  server.expiresSeconds = 2;
  const release = Promise.withResolvers<void>();
  server.faults.push(first(1, { kind: "hold", until: release.promise }, isPut));
  for (const name of ["a", "b"]) await writeFile(join(out, name), name);
  const asked = () =>
    server.seen("grants").flatMap(({ body }) => (body as { requests: { key: string }[] }).requests);
  const upload = transfers.upload(outputs, out, context);
  // Mostly in one call; on a busy machine in two.
  await server.until(() => server.seen("put").length === 1 && asked().length === 2);
  setTimeout(release.resolve, 1300);
  await upload;
  // The second file's URL would still have been good for 700 ms.
  const keys = asked().map(({ key }) => key);
  expect([keys.length, new Set(keys).size, server.seen("put").length]).toEqual([3, 2, 2]);
});

test.each(["before", "ahead"])(
  "a URL that the storage calls expired (clock %s) is replaced by a fresh one",
  async (clock) => {
    const { server, transfers, context, out } = await setUp();
    await writeFile(join(out, "a"), "x");
    let puts = 0;
    server.faults.push((request) => {
      if (!isPut(request)) return undefined;
      puts += 1;
      server.skewMs = clock === "ahead" && puts < 3 ? 3_600_000 : 0;
      return clock === "before" && puts < 3 ? { kind: "answer", status: 403 } : undefined;
    });
    await transfers.upload(outputs, out, context);
    expect([server.seen("grants").length, puts]).toEqual([3, 3]);
  },
);

test("a storage whose clock stays wrong gives the job back, with the reason", async () => {
  const { server, transfers, context, out } = await setUp();
  server.skewMs = 3_600_000;
  await writeFile(join(out, "a"), "x");
  const failure = await failureOf(transfers.upload(outputs, out, context));
  expect(failure.fault).toBe("storage");
  expect(failure.message).toContain("403");
});

test("names that no key can have fail the job by name, before anything is sent", async () => {
  const { server, transfers, context, out } = await setUp();
  await writeFile(join(out, "good"), "x");
  await writeFile(join(out, "line\nbreak"), "x");
  await mkdir(join(out, "d".repeat(200), "e".repeat(200), "f".repeat(200), "g".repeat(200)), {
    recursive: true,
  });
  await writeFile(
    join(out, "d".repeat(200), "e".repeat(200), "f".repeat(200), "g".repeat(200), "ä".repeat(60)),
    "x",
  );
  const failure = await failureOf(transfers.upload(outputs, out, context));
  expect(failure.fault).toBe("config");
  for (const part of ["line\nbreak", "control characters", "longer than 900 bytes"])
    expect(failure.message).toContain(part);
  expect(server.requests).toEqual([]);
});

test("a mirror keeps the others when one name cannot be a key, and fails by that name at the end", async () => {
  const { server, transfers, context, out } = await setUp();
  await writeFile(join(out, "line\nbreak"), "x");
  await writeFile(join(out, "good"), "x");
  const mirror = await transfers.mirror(checkpoints, new Map(), context);
  const failure = await failureOf(mirror.finish());
  expect([failure.fault, [...server.files.keys()]]).toEqual(["config", ["ckpt/good"]]);
  expect(failure.message).toContain("line\nbreak");
});

test.each(["superseded", "canceled", "not_holder"] as const)(
  "told that its lease has ended (%s), an attempt stops at once, and asks no more",
  async (reason) => {
    const { server, transfers, context, gate, out } = await setUp();
    for (let number = 0; number < 20; number += 1) await writeFile(join(out, `${number}`), "x");
    server.refusal = reason;
    await expect(transfers.upload(outputs, out, context)).rejects.toThrow(reason);
    await expect(gate.ready()).rejects.toThrow(reason);
    expect(server.seen("grants").length).toBe(1);
    expect(server.changes).toEqual([]);
    await expect(transfers.download([inputs], context)).rejects.toThrow(reason);
  },
);

test("an API that is away for a while costs nothing but time", async () => {
  const { server, transfers, context, out } = await setUp();
  await writeFile(join(out, "a"), "x");
  server.faults.push(first(8, { kind: "reset" }, ({ route }) => route === "grants"));
  server.faults.push(first(3, { kind: "answer", status: 503 }, ({ route }) => route === "outputs"));
  await transfers.upload(outputs, out, context);
  expect(server.recorded.size).toBe(1);
});

test("an API that stays away gives the job back, with the reason", async () => {
  const { server, transfers, context } = await setUp({ apiPatienceMs: 100 });
  server.faults.push(() => ({ kind: "answer", status: 500 }));
  const failure = await failureOf(transfers.download([inputs], context));
  expect(failure.fault).toBe("storage");
  expect(failure.message).toContain("/storage/list");
});

test("trust that lapses in an outage of the API: the upload waits for it, and that counts for nothing", async () => {
  const { server, transfers, context, gate, out } = await setUp({ apiPatienceMs: 1000, tries: 1 });
  await writeFile(join(out, "a"), "x");
  let away = true;
  server.faults.push(({ route }) => (away && route === "grants" ? { kind: "reset" } : undefined));
  const upload = transfers.upload(outputs, out, context);
  await server.until(() => server.seen("grants").length === 2);
  gate.lapse();
  const asked = server.seen("grants").length;
  await new Promise((resolve) => setTimeout(resolve, 1200));
  expect(server.seen("grants").length).toBe(asked);
  away = false;
  gate.restore();
  await upload;
  expect(server.recorded.size).toBe(1);
});

test("without trust nothing is recorded: what was uploaded before is not said to be an output", async () => {
  const { server, transfers, context, gate, out } = await setUp();
  await writeFile(join(out, "a"), "x");
  const uploaded = Promise.withResolvers<void>();
  const observer = {
    began: () => undefined,
    ended: () => {
      gate.lapse();
      uploaded.resolve();
    },
  };
  const upload = transfers.upload(outputs, out, { ...context, observer });
  await uploaded.promise;
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect([server.seen("put").length, server.seen("outputs").length]).toEqual([1, 0]);
  gate.restore();
  await upload;
  expect([...server.recorded]).toEqual(["results/a"]);
});

test("a wish that the API does not take spoils none of those that came with it", async () => {
  const { server, transfers, context, out } = await setUp();
  for (const name of ["a", "bad", "c"]) await writeFile(join(out, name), name);
  server.faults.push(({ route, body }) =>
    route === "grants" && JSON.stringify(body).includes("results/bad")
      ? { kind: "answer", status: 400 }
      : undefined,
  );
  const failure = await failureOf(transfers.upload(outputs, out, context));
  expect([failure.fault, [...server.recorded].sort()]).toEqual(["config", ["results/a", "results/c"]]);
  expect(failure.message).toContain("results/bad");
});

test("bytes that were changed on the way are never visible, not for a moment", async () => {
  const { server, out, ...bench } = await setUp();
  const proxy = await FaultProxy.before(server.url);
  onTestFinished(() => proxy.close());
  server.objectOrigin = proxy.url;
  await writeFile(join(out, "a"), "content");
  proxy.strike(2, { kind: "flipsUp", atByte: 1 }, ({ method }) => method === "PUT");
  await bench.transfers.upload(outputs, out, bench.context);
  expect([proxy.struck, server.changes.length]).toEqual([2, 1]);
});

test("a rule with a bucket on a node without credentials fails the job, and says what is missing", async () => {
  const { transfers, context, out } = await setUp();
  const failure = await failureOf(transfers.upload({ ...outputs, bucket: "mine" }, out, context));
  expect(failure.fault).toBe("config");
  expect(failure.message).toMatch(/"mine".*AWS_ACCESS_KEY_ID/);
  await failureOf(transfers.download([{ ...inputs, bucket: "mine" }], context));
  await failureOf(transfers.mirror({ ...checkpoints, bucket: "mine" }, new Map(), context));
});

test("a snapshot rule is never carried out as a mirror", async () => {
  const { server, transfers, context } = await setUp();
  expect((await failureOf(transfers.download([{ ...inputs, mode: "snapshot" }], context))).fault).toBe(
    "config",
  );
  expect(server.requests).toEqual([]);
});

test.each(["in/../../evil", "in//etc/passwd", "in/./x"])("a key %s writes nowhere", async (key) => {
  const { server, transfers, context, dir } = await setUp();
  server.put(key, "bad");
  const failure = await failureOf(transfers.download([inputs], context));
  expect(failure.fault).toBe("config");
  expect(await readdir(dir)).toEqual(["out"]);
});
