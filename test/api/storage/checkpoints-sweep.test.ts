/** What the sweep deletes, when, and what it never does. */
import { createScheduledController } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test, vi } from "vitest";
import worker from "../../../src/index.ts";
import { newGroup, signUp } from "../http/client.ts";
import { ago, begin, claimNext, placeOf, sha256Of, shortPages, type User } from "./checkpoint-world.ts";

let user: User;
beforeAll(async () => {
  user = await signUp("sweepers");
});

/** What the minute's cron does, and what it said that it had done. */
async function sweep(): Promise<Record<string, unknown> | undefined> {
  const said = vi.spyOn(console, "log").mockImplementation(() => undefined);
  await worker.scheduled(createScheduledController(), env);
  const lines = said.mock.calls.map(([line]) => JSON.parse(String(line)) as Record<string, unknown>);
  said.mockRestore();
  return lines.find(({ event }) => event === "storage_swept");
}

test("over the number to keep: retired with the commit, deleted by the sweep, but for what younger ones name", async () => {
  const agent = await begin(user, newGroup());
  const stays = await agent.put(1, "stays");
  const goes = await agent.put(1, "goes");
  const first = await agent.commits(1, null, [stays, goes], { keep: 2 });
  const second = await agent.commits(2, first, [stays, await agent.put(2, "b")], { keep: 2 });
  await sweep();
  expect(await agent.stored()).toContain(placeOf(goes));
  await agent.commits(3, second, [stays, await agent.put(3, "c")], { keep: 2 });
  expect((await agent.checkpoints()).map(({ state }) => state)).toEqual(["kept", "kept", "retired"]);
  expect(await sweep()).toMatchObject({ generations: 1, objects: 2, failed: 0, stuck: 0 });
  const stored = await agent.stored();
  expect(stored).toContain(placeOf(stays));
  expect(stored).not.toContain(placeOf(goes));
  expect(stored.filter((place) => place.startsWith("1/1/"))).toEqual([placeOf(stays)]);
  expect(await sweep()).toBeUndefined();
});

test("a chunk that lives on in younger generations goes when the last of them retires", async () => {
  const agent = await begin(user, newGroup());
  const shared = await agent.put(1, "shared");
  const keep = 1;
  let base = await agent.commits(1, null, [shared], { keep });
  base = await agent.commits(2, base, [shared], { keep });
  await sweep();
  expect(await agent.stored()).toContain(placeOf(shared));
  base = await agent.commits(3, base, [await agent.put(3, "new")], { keep });
  await sweep();
  expect((await agent.stored()).every((place) => place.startsWith("1/3/"))).toBe(true);
  const purged = await env.DB.prepare(
    "SELECT COUNT(*) AS n FROM checkpoints WHERE job_id = ? AND purged IS NOT NULL",
  )
    .bind(agent.job.id)
    .first<number>("n");
  expect(purged).toBe(2);
});

test("what cuts that were dropped had sent into a generation goes with it", async () => {
  const agent = await begin(user, newGroup());
  await agent.put(1, "of a dropped cut");
  await agent.manifest(1, null, []);
  const first = await agent.commits(1, null, [await agent.put(1, "a")], { keep: 1 });
  await agent.commits(2, first, [await agent.put(2, "b")], { keep: 1 });
  await sweep();
  expect((await agent.stored()).every((place) => place.startsWith("1/2/"))).toBe(true);
});

test("the sweep dies in the middle of deleting: the next one goes on", async () => {
  const agent = await begin(user, newGroup());
  const first = await agent.commits(1, null, [await agent.put(1, "a1"), await agent.put(1, "a2")], {
    keep: 1,
  });
  await agent.commits(2, first, [await agent.put(2, "b")], { keep: 1 });
  const bucket = Object.getPrototypeOf(env.CHECKPOINTS) as R2Bucket;
  const remove = bucket.delete;
  let calls = 0;
  const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const spy = vi.spyOn(bucket, "delete").mockImplementation(async function dies(this: R2Bucket, keys) {
    // The chunks are gone; it dies before the manifest.
    if (++calls > 1) throw new Error("R2: internal error");
    return remove.call(this, keys);
  });
  expect(await sweep()).toMatchObject({ failed: 1, generations: 0 });
  spy.mockRestore();
  warn.mockRestore();
  expect((await agent.stored()).filter((place) => place.startsWith("1/1/"))).toEqual([
    expect.stringContaining("1/1/manifest-"),
  ]);
  expect(await sweep()).toMatchObject({ failed: 0, generations: 1 });
  expect((await agent.stored()).every((place) => place.startsWith("1/2/"))).toBe(true);
});

test("a kept manifest cannot be read: nothing of its series is deleted, and others are", async () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const broken = await begin(user, newGroup());
  const goes = await broken.put(1, "cannot go");
  const first = await broken.commits(1, null, [goes], { keep: 1 });
  await broken.commits(2, first, [await broken.put(2, "b")], { keep: 1 });
  const manifest = (await broken.head()).head?.manifest.sha256;
  const manifestKey = `${broken.place}/2/manifest-${manifest}`;
  const text = await (await env.CHECKPOINTS.get(manifestKey))?.text();
  await env.CHECKPOINTS.delete(manifestKey);

  const other = await begin(user, newGroup());
  const base = await other.commits(1, null, [await other.put(1, "a")], { keep: 1 });
  await other.commits(2, base, [await other.put(2, "b")], { keep: 1 });

  expect(await sweep()).toMatchObject({ stuck: 1, generations: 1 });
  expect(await broken.stored()).toContain(placeOf(goes));
  expect((await other.stored()).every((place) => place.startsWith("1/2/"))).toBe(true);
  await env.CHECKPOINTS.put(manifestKey, text ?? "");
  expect(await sweep()).toMatchObject({ stuck: 0, generations: 1 });
  error.mockRestore();
});

test("a damaged generation keeps its chunks until it retires", async () => {
  const group = newGroup();
  const error = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const agent = await begin(user, group);
  const first = await agent.commits(1, null, [await agent.put(1, "a")], { keep: 1 });
  const chunk = await agent.put(2, "b");
  const other = await agent.put(2, "c");
  const second = await agent.commits(2, first, [chunk, other], { keep: 2 });
  await env.CHECKPOINTS.delete(`${agent.place}/2/${chunk[2]}`);
  await agent.doubt(second, chunk, "missing");
  await sweep();
  expect(await agent.stored()).toContain(placeOf(other));
  const third = await agent.commits(3, first, [await agent.put(3, "d")], { keep: 1 });
  expect((await agent.checkpoints()).map(({ state }) => state)).toEqual(["kept", "retired", "retired"]);
  await sweep();
  expect((await agent.stored()).every((place) => place.startsWith("1/3/"))).toBe(true);
  expect((await agent.head()).head).toMatchObject(third);
  error.mockRestore();
});

test("what a dead attempt had sent without a commit goes 15 minutes after its end, and nothing that is committed", async () => {
  const group = newGroup();
  const dead = await begin(user, group);
  const committed = await dead.put(1, "committed");
  const base = await dead.commits(1, null, [committed]);
  await dead.put(2, "left behind");
  await dead.manifest(2, base, []);
  const before = await dead.stored();
  await sweep();
  await dead.release();
  await sweep();
  await ago(14, dead.job.id);
  await sweep();
  expect(await dead.stored()).toEqual(before);

  const next = await claimNext(user, group, "m2");
  const open = await next.put(1, "of the running attempt");
  await ago(1, dead.job.id);
  expect(await sweep()).toMatchObject({ attempts: 1, objects: 2 });
  const stored = await dead.stored();
  expect(stored).toContain(placeOf(committed));
  expect(stored).toContain(placeOf(open));
  expect(stored.some((place) => place.startsWith("1/2/"))).toBe(false);
  expect((await next.head()).head).toMatchObject(base);
  expect(await sweep()).toBeUndefined();
});

test("an object that lands in a generation's place after it was purged goes with the attempt's leftovers", async () => {
  const group = newGroup();
  const agent = await begin(user, group);
  const lives = await agent.put(1, "lives on");
  const first = await agent.commits(1, null, [lives, await agent.put(1, "again")], { keep: 1 });
  await agent.commits(2, first, [lives], { keep: 1 });
  await sweep();
  const late = await agent.put(1, "again");
  await agent.release();
  await ago(15, agent.job.id);
  await sweep();
  const stored = await agent.stored();
  expect(stored).not.toContain(placeOf(late));
  expect(stored).toContain(placeOf(lives));
});

test("outputs of an attempt go unless it has completed", async () => {
  for (const [end, stays] of [
    ["released", false],
    ["completed", true],
  ] as const) {
    const agent = await begin(user, newGroup());
    const key = `outputs/${user.id}/${agent.job.id}/1/result.txt`;
    await env.CHECKPOINTS.put(key, "result");
    await env.DB.prepare(
      "INSERT INTO outputs (user_id, key, job_id, attempt, bytes, etag, uploaded) VALUES (?, 'result.txt', ?, 1, 6, 'etag', 0)",
    )
      .bind(user.id, agent.job.id)
      .run();
    expect((await agent.post(end, {})).status).toBe(200);
    await ago(15, agent.job.id);
    await sweep();
    expect((await env.CHECKPOINTS.head(key)) !== null).toBe(stays);
    const rows = await env.DB.prepare("SELECT COUNT(*) AS n FROM outputs WHERE job_id = ?")
      .bind(agent.job.id)
      .first<number>("n");
    expect(rows).toBe(stays ? 1 : 0);
  }
});

test("places of jobs that are gone are emptied once they are due, and forgotten", async () => {
  const prefix = `snapshots/${user.id}/${crypto.randomUUID()}/`;
  const sha256 = await sha256Of("x");
  for (let i = 1; i <= 25; i++) await env.CHECKPOINTS.put(`${prefix}1/${i}/${sha256}`, "x");
  const longPages = shortPages(10);
  const neighbour = `snapshots/${user.id}/${crypto.randomUUID()}/1/1/${sha256}`;
  await env.CHECKPOINTS.put(neighbour, "x");
  const due = (ms: number) =>
    env.DB.prepare("INSERT OR REPLACE INTO storage_garbage VALUES (?, ?)").bind(prefix, ms).run();
  await due(Date.now() + 60_000);
  expect(await sweep()).toBeUndefined();
  await due(Date.now() - 1);
  expect(await sweep()).toMatchObject({ places: 1, objects: 25 });
  longPages();
  expect((await env.CHECKPOINTS.list({ prefix })).objects).toEqual([]);
  expect(await env.CHECKPOINTS.head(neighbour)).not.toBeNull();
  expect(await sweep()).toBeUndefined();
});

test("the lease sweep fails: the storage is swept all the same, and the failure is told", async () => {
  const agent = await begin(user, newGroup());
  const first = await agent.commits(1, null, [await agent.put(1, "a")], { keep: 1 });
  await agent.commits(2, first, [await agent.put(2, "b")], { keep: 1 });
  const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1")) as D1PreparedStatement;
  const spy = vi.spyOn(statement, "all").mockRejectedValue(new Error("D1: overloaded"));
  const said = vi.spyOn(console, "log").mockImplementation(() => undefined);
  await expect(worker.scheduled(createScheduledController(), env)).rejects.toThrow("overloaded");
  said.mockRestore();
  spy.mockRestore();
  expect((await agent.stored()).every((place) => place.startsWith("1/2/"))).toBe(true);
});
