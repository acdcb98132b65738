/** What becomes visible, and what does not: commits of generations over the wire, on real D1 and R2. */
import { env } from "cloudflare:workers";
import { beforeAll, expect, test, vi } from "vitest";
import type { ErrorBody } from "../../../src/contract/index.ts";
import { newGroup, send, signUp, submit } from "../http/client.ts";
import { begin, claimNext, prefix, sha256Of, shortPages, type User } from "./checkpoint-world.ts";

let user: User;
beforeAll(async () => {
  user = await signUp("committers");
});

test("a generation is committed whole, is the head, and people see it", async () => {
  const agent = await begin(user, newGroup());
  expect(await agent.head()).toEqual({ head: null, lost: false });
  const chunks = [await agent.put(1, "first"), await agent.put(1, "second")];
  const manifest = await agent.manifest(1, null, chunks, { quiet: false, files: 7, bytes: 4711 });
  expect((await agent.commit(1, null, manifest)).body).toEqual({ committed: true });
  expect(await agent.head()).toEqual({ head: { attempt: 1, generation: 1, manifest }, lost: false });
  expect(await agent.checkpoints()).toEqual([
    {
      attempt: 1,
      generation: 1,
      prefix,
      committed: expect.stringMatching(/^20.*Z$/),
      files: 7,
      bytes_new: 11,
      bytes_total: 4711,
      quiet: false,
      verified: true,
      state: "kept",
    },
  ]);
});

test("the answer of a commit was lost: its repeat is a success, and changes nothing", async () => {
  const agent = await begin(user, newGroup());
  const manifest = await agent.manifest(1, null, [await agent.put(1, "once")]);
  expect((await agent.commit(1, null, manifest)).body).toEqual({ committed: true });
  expect((await agent.commit(1, null, manifest)).body).toEqual({ committed: true });
  expect(await agent.checkpoints()).toHaveLength(1);
});

test("D1 applied a commit and its answer was lost inside the API: read back, a success", async () => {
  const agent = await begin(user, newGroup());
  const manifest = await agent.manifest(1, null, [await agent.put(1, "applied")]);
  const database = Object.getPrototypeOf(env.DB) as D1Database;
  const batch = database.batch;
  const spy = vi.spyOn(database, "batch").mockImplementation(async function lost(
    this: D1Database,
    list: D1PreparedStatement[],
  ) {
    const results = await batch.call(this, list);
    if (results.length === 2 && results[0]?.meta.changes === 1)
      throw new Error("D1: network connection lost");
    return results as never;
  });
  const { status, body } = await agent.commit(1, null, manifest);
  spy.mockRestore();
  expect([status, body]).toEqual([200, { committed: true }]);
  expect(await agent.checkpoints()).toHaveLength(1);
});

test("D1 fails, and nobody knows: 503, and the repeat commits", async () => {
  const agent = await begin(user, newGroup());
  const manifest = await agent.manifest(1, null, [await agent.put(1, "unknown")]);
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const spy = vi.spyOn(Object.getPrototypeOf(env.DB) as D1Database, "batch");
  spy.mockRejectedValue(new Error("D1: overloaded"));
  const { status } = await agent.commit(1, null, manifest);
  spy.mockRestore();
  expect(status).toBe(503);
  expect(warn.mock.calls.flat().join()).toContain("commit_unknown");
  warn.mockRestore();
  expect((await agent.commit(1, null, manifest)).body).toEqual({ committed: true });
});

test("an agent comes back from the dead: its successor's head stays, and its commit is refused", async () => {
  const group = newGroup();
  const zombie = await begin(user, group);
  const manifest = await zombie.manifest(1, null, [await zombie.put(1, "of the dead")]);
  await zombie.release();
  const successor = await claimNext(user, group, "m2");
  const refused = await zombie.commit<ErrorBody>(1, null, manifest);
  expect([refused.status, refused.body.reason]).toEqual([409, "superseded"]);
  expect(await successor.head()).toEqual({ head: null, lost: false });
});

test("the attempt ends while its commit is on the way: the fence in D1 holds, though the lease was renewed", async () => {
  const group = newGroup();
  const agent = await begin(user, group);
  const manifest = await agent.manifest(1, null, [await agent.put(1, "late")]);
  // The lease is held in the object; only D1 has ended the attempt.
  for (const change of ["status = 'pending'", "status = 'running', attempt = 2"]) {
    await env.DB.prepare(`UPDATE jobs SET ${change} WHERE id = ?`).bind(agent.job.id).run();
    const { status, body } = await agent.commit<ErrorBody>(1, null, manifest);
    expect([status, body.reason]).toEqual([409, "superseded"]);
  }
  expect(await agent.checkpoints()).toEqual([]);
});

test("a chunk that never arrived is named in the answer, and nothing is committed; sent, it is", async () => {
  const agent = await begin(user, newGroup());
  const sent = await agent.put(1, "sent");
  const sha256 = await sha256Of("lost");
  const manifest = await agent.manifest(1, null, [sent, [1, 1, sha256, 4]]);
  expect((await agent.commit(1, null, manifest)).body).toEqual({ committed: false, missing: [sha256] });
  expect(await agent.checkpoints()).toEqual([]);
  await agent.put(1, "lost");
  expect((await agent.commit(1, null, manifest)).body).toEqual({ committed: true });
});

test("a chunk in another size than named counts as missing", async () => {
  const agent = await begin(user, newGroup());
  const [attempt, generation, sha256, bytes] = await agent.put(1, "torn");
  const manifest = await agent.manifest(1, null, [[attempt, generation, sha256, bytes + 1]]);
  expect((await agent.commit(1, null, manifest)).body).toEqual({ committed: false, missing: [sha256] });
});

test("at most 100 missing chunks are told", async () => {
  const agent = await begin(user, newGroup());
  const chunks = await Promise.all(
    Array.from(
      { length: 120 },
      async (_, i) => [1, 1, await sha256Of(`${i}`), 1] as [number, number, string, number],
    ),
  );
  const { body } = await agent.commit(1, null, await agent.manifest(1, null, chunks));
  expect(body.committed === false && body.missing).toHaveLength(100);
});

test("chunks of the base cost nothing; what the base does not name is to be sent, though it lies in the bucket", async () => {
  const agent = await begin(user, newGroup());
  const old = await agent.put(1, "old");
  const kept = await agent.put(1, "kept");
  const first = await agent.commits(1, null, [old, kept]);
  const second = await agent.commits(2, first, [kept, await agent.put(2, "new")]);
  expect((await agent.checkpoints())[0]?.bytes_new).toBe(3);

  const forgotten = await agent.manifest(3, second, [kept, old]);
  expect((await agent.commit(3, second, forgotten)).body).toEqual({ committed: false, missing: [old[2]] });
  // The size is part of the name.
  const resized = await agent.manifest(3, second, [[kept[0], kept[1], kept[2], 1]]);
  expect((await agent.commit(3, second, resized)).body).toEqual({ committed: false, missing: [kept[2]] });
});

test("a generation on another base than the head is refused", async () => {
  const agent = await begin(user, newGroup());
  const chunk = await agent.put(1, "base");
  const first = await agent.commits(1, null, [chunk]);
  for (const base of [null, { attempt: 1, generation: 7 }]) {
    const { status, body } = await agent.commit<ErrorBody>(2, base, await agent.manifest(2, base, [chunk]));
    expect([status, body.reason]).toEqual([409, "wrong_base"]);
  }
  expect((await agent.head()).head).toMatchObject(first);
});

test("another manifest under a number that is taken is refused", async () => {
  const agent = await begin(user, newGroup());
  await agent.commits(1, null, [await agent.put(1, "one")]);
  const other = await agent.manifest(1, null, [await agent.put(1, "other")]);
  const { status, body } = await agent.commit<ErrorBody>(1, null, other);
  expect([status, body.reason]).toEqual([409, "wrong_base"]);
});

test("another commit comes between the look at the head and the write: refused for the base, and the lease holds", async () => {
  const agent = await begin(user, newGroup());
  const manifest = await agent.manifest(2, null, [await agent.put(2, "second")]);
  const rival = await agent.manifest(1, null, [await agent.put(1, "first")]);
  const bucket = Object.getPrototypeOf(env.CHECKPOINTS) as R2Bucket;
  const get = bucket.get;
  let reads = 0;
  const spy = vi.spyOn(bucket, "get").mockImplementation(async function between(
    this: R2Bucket,
    key: string,
    options?: R2GetOptions,
  ) {
    reads += 1;
    if (reads === 1) expect((await agent.commit(1, null, rival)).body).toEqual({ committed: true });
    return get.call(this, key, options) as never;
  });
  const { status, body } = await agent.commit<ErrorBody>(2, null, manifest);
  spy.mockRestore();
  expect([status, body.reason]).toEqual([409, "wrong_base"]);
  expect((await agent.head()).head).toMatchObject({ generation: 1 });
  expect((await agent.beat()).status).toBe("running");
});

test("the manifest is not there, or not in its size: it is to be sent", async () => {
  const agent = await begin(user, newGroup());
  const nowhere = { sha256: await sha256Of("nowhere"), size: 10 };
  expect((await agent.commit(1, null, nowhere)).body).toEqual({
    committed: false,
    missing: [nowhere.sha256],
  });
  const manifest = await agent.manifest(1, null, [await agent.put(1, "x")]);
  const shorter = { ...manifest, size: manifest.size - 1 };
  expect((await agent.commit(1, null, shorter)).body).toEqual({
    committed: false,
    missing: [manifest.sha256],
  });
});

test.each<[string, Record<string, unknown>]>([
  ["job_id", { job_id: crypto.randomUUID() }],
  ["prefix", { prefix: "other/" }],
  ["attempt", { attempt: 2 }],
  ["generation", { generation: 2 }],
  ["base", { base: { attempt: 1, generation: 9 } }],
  ["version", { version: 2 }],
  ["chunks", { chunks: [[1, 1, "no hash", 1]] }],
  [
    "chunks",
    {
      chunks: [
        [1, 1, "a".repeat(64), 1],
        [1, 1, "a".repeat(64), 2],
      ],
    },
  ],
])("a manifest whose %s is another's is a 400", async (field, more) => {
  const agent = await begin(user, newGroup());
  const manifest = await agent.manifest(1, null, [await agent.put(1, "x")], more);
  const { status, body } = await agent.commit<ErrorBody>(1, null, manifest);
  expect([status, body.field]).toEqual([400, "manifest"]);
  expect(body.message).toContain(field);
});

test("a manifest without a first line is a 400, however long", async () => {
  const agent = await begin(user, newGroup());
  const text = "x".repeat(7 * 1024 * 1024);
  const sha256 = await sha256Of(text);
  await env.CHECKPOINTS.put(`${agent.place}/1/manifest-${sha256}`, text);
  const { status, body } = await agent.commit<ErrorBody>(1, null, { sha256, size: text.length });
  expect([status, body.message]).toEqual([400, expect.stringContaining("does not end")]);
});

test("a generation whose list has many pages", async () => {
  const agent = await begin(user, newGroup());
  const longPages = shortPages(7);
  const chunks = await Promise.all(Array.from({ length: 30 }, (_, i) => agent.put(1, `${i}`)));
  await agent.commits(1, null, chunks);
  longPages();
});

test("two series of one job live side by side, each with its own head", async () => {
  const agent = await begin(user, newGroup());
  const chunk = await agent.put(1, "of the first");
  const first = await agent.commits(1, null, [chunk]);
  const other = await agent.commits(2, null, [await agent.put(2, "of the second")], { prefix: "other/" });
  expect((await agent.head()).head).toMatchObject(first);
  expect((await agent.head("other/")).head).toMatchObject(other);
  // One does not build on the other.
  const mixed = await agent.manifest(3, first, [chunk], { prefix: "other/" });
  expect((await agent.commit(3, first, mixed, { prefix: "other/" })).status).toBe(409);
  expect((await agent.checkpoints()).map(({ generation, prefix: of }) => [generation, of])).toEqual([
    [2, "other/"],
    [1, prefix],
  ]);
});

test("a prefix without its final slash is the same series", async () => {
  const agent = await begin(user, newGroup());
  await agent.commits(1, null, [await agent.put(1, "x")]);
  expect((await agent.head("state")).head).not.toBeNull();
});

test("strangers see nothing, commit nothing, doubt nothing", async () => {
  const agent = await begin(user, newGroup());
  const chunk = await agent.put(1, "mine");
  const first = await agent.commits(1, null, [chunk]);
  const stranger = await signUp("strangers");
  expect((await send("GET", `/jobs/${agent.job.id}/checkpoints`, { key: stranger.key })).status).toBe(404);
  const asStranger = (path: string, body: object) =>
    send("POST", `/jobs/${agent.job.id}/${path}`, { key: stranger.key, body: { ...agent.proof, ...body } });
  const manifest = { sha256: await sha256Of("x"), size: 1 };
  expect((await asStranger("checkpoints/head", { prefix })).status).toBe(404);
  expect((await asStranger("checkpoints", { prefix, base: first, generation: 2, manifest })).status).toBe(
    404,
  );
  const doubt = { prefix, head: first, chunk: null, problem: "missing" };
  expect((await asStranger("checkpoints/doubt", doubt)).status).toBe(404);
  // Its own user with a forged token.
  const forged = await agent.post("checkpoints/head", { prefix, lease_token: "forged" });
  expect([forged.status, forged.body.reason]).toEqual([409, "not_holder"]);
});

test("a job without snapshots has no checkpoints", async () => {
  const { id } = await submit(user.key);
  const { body } = await send<{ _count: number }>("GET", `/jobs/${id}/checkpoints`, { key: user.key });
  expect(body).toEqual({ _count: 0, checkpoints: [] });
});
