/** The first try, from the group's object. */
import { expect, test } from "vitest";
import { Courier } from "../../src/webhooks/courier.ts";
import { answered, minuteMs, World } from "./world.ts";

test("what is written is sent at once, without the cron", async () => {
  const world = new World();
  const courier = new Courier(world.ports);
  const seq = world.add({ job_id: "a" });
  courier.written("a");
  await courier.idle();
  expect(world.row(seq)).toMatchObject({ delivered: world.startMs, tries: 1 });
});

test("a retry is not its business", async () => {
  const world = new World();
  const courier = new Courier(world.ports);
  world.add({ job_id: "a", tries: 1 });
  courier.written("a");
  await courier.idle();
  expect(world.posts).toEqual([]);
});

test("a job without news costs one read and sends nothing", async () => {
  const world = new World();
  const courier = new Courier(world.ports);
  courier.written("a");
  await courier.idle();
  expect(world.posts).toEqual([]);
});

test("two at a time; a receiver that hangs is left to the cron", async () => {
  const world = new World();
  const courier = new Courier(world.ports);
  for (let i = 0; i < 30; i++) {
    world.add({ job_id: `j${i}`, url: "https://dead.test/" });
    courier.written(`j${i}`);
  }
  world.receive = () => ({ kind: "timed_out" });
  await courier.idle();
  expect(world.posts).toHaveLength(2);
  expect(world.count("tries = 0 AND due IS NOT NULL")).toBe(28);
  world.receive = () => answered(200);
  await world.passMinutes(5 * minuteMs);
  expect(world.count("delivered IS NOT NULL")).toBe(30);
});

test("more than it can hold is the cron's", async () => {
  const world = new World();
  const courier = new Courier(world.ports);
  for (let i = 0; i < 500; i++) {
    world.add({ job_id: `j${i}` });
    courier.written(`j${i}`);
  }
  await courier.idle();
  expect(world.posts).toHaveLength(100);
  expect(world.count("tries = 0 AND due IS NOT NULL")).toBe(400);
});

test("D1 fails: it says so, does not throw, and works on afterwards", async () => {
  const world = new World();
  const courier = new Courier(world.ports);
  world.add({ job_id: "a" });
  world.faultOf = () => "refused";
  courier.written("a");
  await courier.idle();
  expect(world.events).toMatchObject([{ event: "deliveries_unknown", severity: "warning" }]);
  world.faultOf = () => undefined;
  courier.written("a");
  await courier.idle();
  expect(world.posts).toHaveLength(1);
});

test("it and the cron at once send once", async () => {
  const world = new World();
  const courier = new Courier(world.ports);
  world.add({ job_id: "a" });
  courier.written("a");
  await Promise.all([courier.idle(), world.pass()]);
  expect(world.posts).toHaveLength(1);
});
