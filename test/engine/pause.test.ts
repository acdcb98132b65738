/** A paused group hands out nothing, whatever its object remembers; and nobody spins, nor loses a ban, for it. */
import type { SQLInputValue } from "node:sqlite";
import { expect, test } from "vitest";
import { pauseGroup, resumeGroup } from "../../src/db/groups/pause.ts";
import { key, must, World, writes } from "./world.ts";

function run(world: World, { sql, params }: { sql: string; params: unknown[] }) {
  return world.d1.prepare(sql).all(...(params as SQLInputValue[]));
}
function pause(world: World) {
  world.d1.exec(`INSERT OR IGNORE INTO users (id, username, created) VALUES ('${key.userId}', 'one', 0)`);
  return run(world, pauseGroup(key.userId, key.containerGroupId, world.nowMs));
}
const resume = (world: World) => run(world, resumeGroup(key.userId, key.containerGroupId));
const isClaim = (statements: { sql: string }[]) =>
  statements.some(({ sql }) => sql.startsWith("UPDATE jobs SET status = 'running'"));

/** A world whose object has a page of the queue in its memory. */
async function withPage(jobs: number): Promise<World> {
  const world = new World();
  for (let n = 0; n < jobs; n++) world.addJob(`job-${n}`);
  must(await world.claim("first"));
  return world;
}

test("the object was not told and has its page: the claim is refused by D1", async () => {
  const world = await withPage(5);
  pause(world);
  expect(await world.claim("m1")).toBeNull();
  expect(world.job("job-1").status).toBe("pending");
  expect(world.attempts("job-1")).toEqual([]);
  expect(world.leases()).toHaveLength(1);
});

test("a refused claim tries one job of the page, not all of them", async () => {
  const world = await withPage(40);
  pause(world);
  let tries = 0;
  world.whileWaiting = (statements) => {
    if (isClaim(statements)) tries++;
  };
  expect(await world.claim("m1")).toBeNull();
  expect(await world.claim("m2")).toBeNull();
  expect(tries).toBe(1);
});

test("a poll of a paused group costs one read, as one of an empty queue does", async () => {
  const world = await withPage(5);
  pause(world);
  await world.engine.paused(key);
  const before = world.statements;
  expect(await world.claim("m1")).toBeNull();
  expect(world.statements - before).toBe(1);
});

test("a claim that an error left open lands after the pause: refused", async () => {
  const world = await withPage(2);
  world.faultOf = (statements) => (isClaim(statements) ? "late" : undefined);
  expect(await world.claim("m1")).toBeNull();
  world.faultOf = () => undefined;
  pause(world);
  world.applyLate();
  expect(world.job("job-1").status).toBe("pending");
  expect(world.attempts("job-1")).toEqual([]);
});

test("a claim that came to D1 before the pause stands, and its repeat gets it", async () => {
  const world = await withPage(2);
  world.whileWaiting = (statements) => {
    if (isClaim(statements)) pause(world);
  };
  const held = must(await world.claim("m1", "c1"));
  expect(await world.claim("m1", "c1")).toEqual(held);
  expect((await world.renew(held))?.status).toBe("running");
  expect(await world.settle(held, "completed")).toEqual({ ok: true, repeat: false });
});

test("past a page that is closed to a machine nothing is brought either", async () => {
  const world = new World();
  for (let n = 0; n < 130; n++) {
    world.addJob(`job-${n}`, { priority: n < 128 ? 1 : 0 });
    if (n >= 128) continue;
    world.d1.exec(`INSERT INTO bans VALUES ('job-${n}', 'm1', ${world.nowMs + 3_600_000})`);
  }
  let tries = 0;
  world.whileWaiting = (statements) => {
    if (isClaim(statements)) tries++;
    // The page has been read, and the look past it has not.
    if (writes(statements, "json_group_array(machine_id)")) pause(world);
  };
  expect(await world.claim("m1")).toBeNull();
  expect(tries).toBe(0);
  world.whileWaiting = () => {};
  resume(world);
  expect((await world.claim("m1"))?.jobId).toBe("job-128");
});

test("the same group of another user, and another group, are not meant", async () => {
  const world = await withPage(2);
  world.d1.exec(
    `INSERT INTO groups VALUES ('user-2', '${key.containerGroupId}', 1), ('${key.userId}', 'group-2', 1)`,
  );
  expect(await world.claim("m1")).not.toBeNull();
});

test("a ban is not lifted while nothing would come of it", async () => {
  const world = new World();
  world.addJob("a", { max_failures: 10 });
  const held = must(await world.claim("m1"));
  await world.renew(held);
  await world.settle(held, "failed");
  const bans = () => Number(world.d1.prepare("SELECT COUNT(*) AS n FROM bans").get()?.n);
  for (let at = 0; at < 150; at += 10) {
    expect(await world.claim("m1")).toBeNull();
    await world.advance(10_000);
  }
  // The window is full: the next poll would lift it. Its page still shows the job when the pause comes.
  world.whileWaiting = (statements) => {
    if (writes(statements, "ORDER BY priority")) pause(world);
  };
  expect(bans()).toBe(1);
  expect(await world.claim("m1")).toBeNull();
  world.whileWaiting = () => {};
  expect(await world.claim("m1")).toBeNull();
  expect(bans()).toBe(1);
});

test("resumed: as many agents are woken as there are jobs, and find them at once", async () => {
  const world = await withPage(3);
  pause(world);
  await world.engine.paused(key);
  expect(await world.claim("m1")).toBeNull();
  resume(world);
  await world.engine.resumed(key, 2);
  expect(world.woken).toBe(2);
  expect(await world.claim("m1")).not.toBeNull();
});

test("a pause is repeated with its first time, an end too; an unknown user's is none", async () => {
  const world = new World();
  expect(pause(world)).toEqual([{ paused: world.nowMs }]);
  const firstMs = world.nowMs;
  world.nowMs += 5_000;
  expect(pause(world)).toEqual([{ paused: firstMs }]);
  resume(world);
  resume(world);
  expect(world.d1.prepare("SELECT COUNT(*) AS n FROM groups").get()).toEqual({ n: 0 });
  expect(run(world, pauseGroup("nobody", "g", 1))).toEqual([]);
});
