/** Nobody's deliveries are held up by another's receiver. */
import { expect, test } from "vitest";
import type { Answer } from "../../src/domain/webhook.ts";
import type { WebhookRequest } from "../../src/webhooks/ports.ts";
import { answered, minuteMs, World } from "./world.ts";

const hangs =
  (host: string) =>
  (request: WebhookRequest): Answer =>
    new URL(request.url).host.endsWith(host) ? { kind: "timed_out" } : answered(200);

test("5,000 older deliveries to a dead host: another host's is sent in the same pass", async () => {
  const world = new World();
  for (let i = 0; i < 5_000; i++) world.add({ url: "https://dead.test/", due: world.nowMs - 1_000 });
  const seq = world.add({ url: "https://well.test/" });
  world.receive = hangs("dead.test");
  await world.pass();
  expect(world.row(seq).delivered).not.toBeNull();
  // Five at once found out; the others make way, untried.
  expect(world.postsTo("dead.test")).toBeLessThanOrEqual(5);
  expect(world.count("url LIKE '%dead%' AND tries = 0")).toBeGreaterThanOrEqual(4_995);
  expect(world.count(`due <= ${world.nowMs}`)).toBe(0);
});

test("one user's host that hangs says nothing about another user's at the same host", async () => {
  const world = new World();
  for (let i = 0; i < 10; i++) world.add({ user_id: "user-1", url: "https://shared.test/dead" });
  for (let i = 0; i < 10; i++) world.add({ user_id: "user-2", url: "https://shared.test/well" });
  world.receive = ({ url }) => (url.endsWith("dead") ? { kind: "timed_out" } : answered(200));
  await world.pass();
  expect(world.count("user_id = 'user-2' AND delivered IS NOT NULL")).toBe(10);
});

test("one address that hangs does not take its host along, three do", async () => {
  for (const [dead, tried] of [
    [2, true],
    [3, false],
  ] as const) {
    const world = new World();
    for (let i = 0; i < dead; i++) world.add({ url: `https://shared.test/dead-${i}` });
    // In the next round, once it is known.
    world.receive = ({ url }) => {
      if (!url.includes("dead")) return answered(200);
      if (world.posts.length === dead) world.add({ url: "https://shared.test/well" });
      return { kind: "timed_out" };
    };
    await world.pass();
    expect(world.count("url LIKE '%well' AND delivered IS NOT NULL")).toBe(tried ? 1 : 0);
  }
});

test("a user with a thousand names for dead machines costs a few tries, not a thousand", async () => {
  const world = new World();
  for (let i = 0; i < 1_000; i++) world.add({ url: `https://n${i}.dead.test/`, due: world.nowMs - 1_000 });
  const seq = world.add({ user_id: "user-2", url: "https://well.test/" });
  world.receive = hangs("dead.test");
  await world.pass();
  expect(world.row(seq).delivered).not.toBeNull();
  expect(world.posts.length).toBeLessThanOrEqual(12);
});

test("a dead host is asked again once it has made way, and its deliveries still get there", async () => {
  const world = new World();
  for (let i = 0; i < 30; i++) world.add({ url: "https://dead.test/" });
  world.receive = hangs("dead.test");
  await world.pass();
  world.receive = () => answered(200);
  await world.passMinutes(15 * minuteMs);
  expect(world.count("delivered IS NOT NULL")).toBe(30);
});

test("1,500 older deliveries to a host that is well do not hide what comes after them", async () => {
  const world = new World();
  for (let i = 0; i < 1_500; i++) world.add({ url: "https://busy.test/", due: world.nowMs - 1_000 });
  const seq = world.add({ user_id: "user-2", url: "https://well.test/" });
  await world.pass();
  expect(world.row(seq).delivered).not.toBeNull();
  await world.passMinutes(10 * minuteMs);
  expect(world.count("delivered IS NOT NULL")).toBe(1_501);
});

test("a pass is bounded", async () => {
  const world = new World();
  for (let i = 0; i < 900; i++) world.add({ user_id: `user-${i}`, url: `https://n${i}.test/` });
  const report = await world.pass();
  expect(world.posts).toHaveLength(500);
  expect(report.complete).toBe(false);
});

test("no more than five at once", async () => {
  const world = new World();
  for (let i = 0; i < 40; i++) world.add({ user_id: `user-${i}` });
  let [now, most] = [0, 0];
  world.receive = async () => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setImmediate(resolve));
    now--;
    return answered(200);
  };
  await world.pass();
  expect(most).toBe(5);
});
