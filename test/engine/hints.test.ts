/** What agents with a socket are told, and when: hints, given only after D1's word. */
import { expect, test } from "vitest";
import { key, must, World, writes } from "./world.ts";

test("a cancel tells the holder once D1 has it, never before", async () => {
  const world = new World();
  const id = world.addJob("a");
  await world.renew(must(await world.claim("m1")));
  let toldBefore = -1;
  world.whileWaiting = (statements) => {
    if (writes(statements, "status = 'canceled'")) toldBefore = world.told.length;
  };
  await world.engine.cancel(key, id);
  expect(toldBefore).toBe(0);
  expect(world.told).toEqual(["a 1 canceled"]);
});

test("an end that D1 does not confirm tells nobody; the alarm that resolves it does", async () => {
  const world = new World();
  const id = world.addJob("a");
  await world.renew(must(await world.claim("m1")));
  world.faultOf = () => "refused";
  expect(await world.engine.cancel(key, id)).toEqual({ ok: false, reason: "unavailable" });
  expect(world.told).toEqual([]);
  world.faultOf = () => undefined;
  await world.advance(10_000);
  expect(world.told).toEqual(["a 1 canceled"]);
});

test("a job that comes back wakes one agent; one that has ended wakes none", async () => {
  const world = new World();
  world.addJob("a", { max_failures: 2 });
  await world.settle(must(await world.claim("m1")), "released");
  expect(world.woken).toBe(1);
  await world.settle(must(await world.claim("m1")), "failed");
  expect(world.woken).toBe(2);
  await world.settle(must(await world.claim("m2")), "failed");
  world.addJob("b");
  await world.settle(must(await world.claim("m2")), "completed");
  expect(world.woken).toBe(2);
  expect(world.told).toEqual([]);
});

test("an expiry tells the silent machine and wakes another", async () => {
  const world = new World();
  world.addJob("a");
  await world.renew(must(await world.claim("m1")));
  await world.advance(200_000);
  expect(world.told).toEqual(["a 1 superseded"]);
  expect(world.woken).toBe(1);
});

test("jobs that were added wake as many agents", async () => {
  const world = new World();
  await world.engine.jobsAdded(key, 0, 3);
  expect(world.woken).toBe(3);
  await world.engine.jobsAdded(key, 0);
  expect(world.woken).toBe(4);
});

test("a job that D1 has ended behind the group's back: its holder is told", async () => {
  const world = new World();
  world.addJob("a");
  await world.renew(must(await world.claim("m1")));
  world.d1.exec("UPDATE jobs SET status = 'canceled'");
  world.nowMs += 61_000;
  await world.engine.reconcile(key, []);
  expect(world.told).toEqual(["a 1 undefined"]);
});
