/** One delivery over its day: when it is tried, when it is given up, and what a crash in between costs. */
import { expect, test } from "vitest";
import { leaseDeliveries, putOff } from "../../src/db/webhooks/leases.ts";
import { type Answer, deliveryWindowMs, pauseMs } from "../../src/domain/webhook.ts";
import { leaseMs } from "../../src/webhooks/send.ts";
import { answered, minuteMs, World } from "./world.ts";

test("2xx is delivered, once", async () => {
  const world = new World();
  const seq = world.add();
  world.receive = () => answered(204);
  await world.pass();
  await world.passMinutes(60 * minuteMs);
  expect(world.posts).toHaveLength(1);
  expect(world.row(seq)).toMatchObject({
    delivered: world.startMs,
    abandoned: null,
    due: null,
    tries: 1,
    lease_op: null,
    last_status: 204,
    last_error: null,
  });
});

test("a receiver that fails is tried over a day, ever more rarely, then no more", async () => {
  const world = new World();
  const seq = world.add();
  world.receive = () => answered(500, "out of order");
  await world.pass();
  await world.passMinutes(30 * 60 * minuteMs);
  const triesMinutes = world.posts.map(({ atMs }) => Math.round((atMs - world.startMs) / minuteMs));
  expect(triesMinutes).toEqual([0, 1, 3, 7, 15, 31, 63, 127, 255, 495, 735, 975, 1215]);
  expect(world.row(seq)).toMatchObject({
    delivered: null,
    due: null,
    tries: 13,
    last_status: 500,
    last_error: "answered 500: out of order",
  });
  expect(world.row(seq).abandoned).toBeGreaterThan(world.startMs + 20 * 60 * minuteMs);
  expect(world.row(seq).abandoned).toBeLessThanOrEqual(world.startMs + deliveryWindowMs);
});

test("the same id and body in each try, another timestamp", async () => {
  const world = new World();
  world.add();
  world.receive = () => answered(500);
  await world.pass();
  await world.passMinutes(3 * minuteMs);
  expect(world.posts.length).toBeGreaterThan(1);
  expect(new Set(world.posts.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
  expect(new Set(world.posts.map(({ body }) => body)).size).toBe(1);
  expect(new Set(world.posts.map(({ headers }) => headers["webhook-timestamp"])).size).toBe(
    world.posts.length,
  );
});

test("pauses are spread by a fifth, and end at four hours", () => {
  expect(pauseMs(1, 0)).toBe(0.8 * minuteMs);
  expect(pauseMs(1, 0.5)).toBe(minuteMs);
  expect(pauseMs(3, 0.5)).toBe(4 * minuteMs);
  expect(pauseMs(50, 0.5)).toBe(240 * minuteMs);
});

test.each<[Answer, string]>([
  [answered(302), "answered 302: redirects are not followed"],
  [answered(404), "answered 404"],
  [{ kind: "timed_out" }, "no answer within 10 s"],
  [{ kind: "unreachable" }, "could not be reached"],
])("%j is tried again, and told as %s", async (answer, said) => {
  const world = new World();
  const seq = world.add();
  world.receive = () => answer;
  await world.pass();
  expect(world.row(seq)).toMatchObject({ delivered: null, abandoned: null, tries: 1, last_error: said });
  expect(world.row(seq).due).toBeGreaterThan(world.nowMs);
  world.receive = () => answered(200);
  await world.passMinutes(2 * minuteMs);
  expect(world.row(seq)).toMatchObject({ due: null, tries: 2, last_error: null });
  expect(world.row(seq).delivered).not.toBeNull();
});

test("410 gives up at once", async () => {
  const world = new World();
  const seq = world.add();
  world.receive = () => answered(410);
  await world.pass();
  await world.passMinutes(10 * minuteMs);
  expect(world.posts).toHaveLength(1);
  expect(world.row(seq)).toMatchObject({ abandoned: world.startMs, due: null, last_status: 410 });
});

test("an address that the deployment does not allow (any more) is never asked, and given up", async () => {
  const world = new World();
  const seq = world.add({ url: "http://127.0.0.1/hook" });
  await world.pass();
  expect(world.posts).toEqual([]);
  expect(world.row(seq)).toMatchObject({ abandoned: world.startMs, due: null, last_status: null });
  expect(world.row(seq).last_error).toContain("private");
});

test("what had no try in its day gets one", async () => {
  const world = new World();
  const seq = world.add();
  world.nowMs += 3 * deliveryWindowMs;
  world.receive = () => answered(500);
  await world.pass();
  expect(world.posts).toHaveLength(1);
  expect(world.row(seq)).toMatchObject({ due: null, abandoned: world.nowMs });
});

test("two passes at once send each delivery once", async () => {
  const world = new World();
  for (let i = 0; i < 20; i++) world.add();
  await Promise.all([world.pass(), world.pass()]);
  expect(world.posts).toHaveLength(20);
  expect(world.count("delivered IS NOT NULL AND tries = 1")).toBe(20);
});

test("a pass that dies after the POST: the lease lapses, and the receiver gets it again", async () => {
  const world = new World();
  const seq = world.add();
  world.faultOf = (statements) =>
    statements.some(({ sql }) => sql.includes("lease_op = NULL")) ? "refused" : undefined;
  await expect(world.pass()).rejects.toThrow("overloaded");
  world.faultOf = () => undefined;
  await world.pass();
  expect(world.posts).toHaveLength(1);
  world.nowMs += leaseMs;
  await world.pass();
  expect(world.posts).toHaveLength(2);
  expect(world.row(seq)).toMatchObject({ tries: 2, due: null });
});

test("a lease whose answer was lost lapses too", async () => {
  const world = new World();
  const seq = world.add();
  world.faultOf = (statements) =>
    statements.some(({ sql }) => sql.includes("RETURNING")) ? "answer-lost" : undefined;
  await expect(world.pass()).rejects.toThrow("lost");
  world.faultOf = () => undefined;
  world.nowMs += leaseMs;
  await world.pass();
  expect(world.posts).toHaveLength(1);
  expect(world.row(seq).delivered).not.toBeNull();
});

test("an outcome that comes after another took the lease changes nothing", async () => {
  const world = new World();
  const seq = world.add();
  let first = true;
  world.receive = async () => {
    if (!first) return answered(200);
    first = false;
    // So slow that its lease lapses, and another pass sends it meanwhile.
    world.nowMs += leaseMs;
    await world.pass();
    return answered(500);
  };
  await world.pass();
  expect(world.posts).toHaveLength(2);
  expect(world.row(seq)).toMatchObject({ due: null, last_status: 200, tries: 2 });
  expect(world.row(seq).delivered).not.toBeNull();
});

test("a row that another has leased is not put off: its lease stays as long as it was", async () => {
  const world = new World();
  const seq = world.add();
  const { nowMs } = world;
  await world.ports.d1.batch([
    leaseDeliveries([seq], "op", nowMs, nowMs + leaseMs),
    putOff([seq], nowMs, nowMs + 1),
  ]);
  expect(world.row(seq)).toMatchObject({ due: nowMs + leaseMs, lease_op: "op" });
});

test("a pass says how much it did, and never to whom", async () => {
  const world = new World();
  world.add({ url: "https://receiver.test/hook?token=of-its-owner" });
  world.receive = () => answered(500);
  expect(await world.pass()).toMatchObject({ failed: 1, complete: true });
  expect(JSON.stringify(world.events)).not.toContain("receiver");
});
