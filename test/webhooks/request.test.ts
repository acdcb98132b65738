/** What is sent, and how it is signed: verified with a library of Standard Webhooks, not with our own code. */
import { Webhook } from "standardwebhooks";
import { expect, test } from "vitest";
import { secretBytes, secretOverlapMs, secretText } from "../../src/webhooks/secret.ts";
import { World } from "./world.ts";

const signingKey = "signing-key-of-the-tests";
const secretOf = async (nonce: string, user = "user-1") =>
  secretText(await secretBytes(signingKey, user, nonce));

function worldWithUser(nonces: { now?: string; before?: string; rotatedMs?: number }, overrides = {}) {
  const world = new World(overrides);
  // The library takes timestamps of the present only.
  world.nowMs = Date.now();
  world.d1
    .prepare(
      "INSERT INTO users (id, username, created, webhook_nonce, webhook_nonce_before, webhook_rotated) VALUES (?, ?, 1, ?, ?, ?)",
    )
    .run("user-1", "u", nonces.now ?? null, nonces.before ?? null, nonces.rotatedMs ?? null);
  return world;
}

async function sentBy(world: World) {
  await world.pass();
  const [post] = world.posts;
  if (!post) throw new Error("nothing was sent");
  return post;
}

test("the four fields of Kelpie, and ours", async () => {
  const world = worldWithUser({});
  world.add({ number: 3, attempt: 2 });
  const { body } = await sentBy(world);
  expect(JSON.parse(body)).toEqual({
    status: "completed",
    job_id: expect.stringMatching(/^job-/),
    machine_id: "m1",
    container_group_id: "group-1",
    event: "completed",
    attempt: 2,
    number: 3,
    occurred_at: new Date(world.nowMs).toISOString(),
  });
});

test("an interrupted job's status is the one that it has: pending", async () => {
  const world = worldWithUser({});
  world.add({ event: "interrupted" });
  expect(JSON.parse((await sentBy(world)).body)).toMatchObject({ status: "pending", event: "interrupted" });
});

test("X-Kelpie-Key is there and empty; without a secret there is no signature", async () => {
  const world = worldWithUser({});
  world.add({ id: "msg_x" });
  const { headers } = await sentBy(world);
  expect(headers).toEqual({
    "content-type": "application/json",
    "user-agent": "kelpie-edge",
    "x-kelpie-key": "",
    "webhook-id": "msg_x",
    "webhook-timestamp": String(Math.floor(world.nowMs / 1000)),
  });
});

test("the secret's signature verifies, and no other's", async () => {
  const world = worldWithUser({ now: "nonce-1", rotatedMs: 1 });
  world.add();
  const { headers, body } = await sentBy(world);
  expect(new Webhook(await secretOf("nonce-1")).verify(body, headers)).toMatchObject({ status: "completed" });
  const others = [await secretOf("nonce-2"), await secretOf("nonce-1", "user-2")];
  for (const other of others) expect(() => new Webhook(other).verify(body, headers)).toThrow();
  expect(() => new Webhook(others[0] ?? "").verify(body, headers)).toThrow();
  const changed = body.replace("completed", "failed");
  expect(() => new Webhook(others[0] ?? "").verify(changed, headers)).toThrow();
});

test("within a day of a rotation both secrets verify, afterwards the new one alone", async () => {
  const before = await secretOf("nonce-1");
  const now = await secretOf("nonce-2");
  for (const [ageMs, both] of [
    [secretOverlapMs - 1_000, true],
    [secretOverlapMs, false],
  ] as const) {
    const world = worldWithUser({ now: "nonce-2", before: "nonce-1" });
    world.d1.prepare("UPDATE users SET webhook_rotated = ?").run(world.nowMs - ageMs);
    world.add();
    const { headers, body } = await sentBy(world);
    expect(new Webhook(now).verify(body, headers)).toBeTruthy();
    const old = () => new Webhook(before).verify(body, headers);
    if (both) expect(old()).toBeTruthy();
    else expect(old).toThrow();
  }
});

test("a deployment without a signing key signs nothing", async () => {
  const world = worldWithUser({ now: "nonce-1", rotatedMs: 1 }, { signingKey: null });
  world.add();
  expect((await sentBy(world)).headers).not.toHaveProperty("webhook-signature");
});
