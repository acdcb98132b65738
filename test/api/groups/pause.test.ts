/** Pause and resume over the wire: from the answer on no attempt begins; what runs goes on; waiting agents are woken. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import type { GroupPause, HeartbeatAnswer } from "../../../src/contract/index.ts";
import type { Bindings } from "../../../src/env.ts";
import type { GroupApi } from "../../../src/group/protocol.ts";
import { adminKey, claim, newGroup, send, signUp, submit, tellerOf } from "../http/client.ts";
import { connect, lineUp } from "../socket/agents.ts";

let user: { id: string; key: string };
let other: { id: string; key: string };
beforeAll(async () => {
  user = await signUp("pauser");
  other = await signUp("other-pauser");
});

const call = (group: string, what: "pause" | "resume", key = user.key, query = "") =>
  send<GroupPause>("POST", `/container-groups/${encodeURIComponent(group)}/${what}${query}`, { key });
const tell = tellerOf(() => user.key);
const pausedGroups = async () =>
  (await env.DB.prepare("SELECT user_id, container_group_id FROM groups").all()).results;

test("nothing new is handed out, what runs goes on, and resuming hands out again", async () => {
  const group = newGroup();
  await submit(user.key, { container_group_id: group });
  await submit(user.key, { container_group_id: group });
  const [running] = await claim(user.key, group, "m1");
  const before = Date.now();
  const paused = await call(group, "pause");
  expect(paused).toMatchObject({ status: 200, body: { container_group_id: group } });
  expect(Date.parse(paused.body.paused ?? "")).toBeGreaterThanOrEqual(before);
  expect(await claim(user.key, group, "m2")).toEqual([]);
  expect(await claim(user.key, group, "m2", "&claim_id=c1")).toEqual([]);
  const beat = await tell<HeartbeatAnswer>(group, "m1", running?.id ?? "", "heartbeat");
  expect(beat.body.status).toBe("running");
  expect((await tell(group, "m1", running?.id ?? "", "completed")).status).toBe(200);

  expect((await call(group, "pause")).body.paused).toBe(paused.body.paused);
  for (let repeat = 0; repeat < 2; repeat++) {
    expect(await call(group, "resume")).toMatchObject({
      status: 200,
      body: { container_group_id: group, paused: null },
    });
  }
  expect(await claim(user.key, group, "m2")).toHaveLength(1);
});

test("the object cannot be told: the pause holds all the same", async () => {
  const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const group = newGroup();
  for (let n = 0; n < 3; n++) await submit(user.key, { container_group_id: group });
  // Its page is in memory from here on.
  expect(await claim(user.key, group, "m1")).toHaveLength(1);
  const lost = () => Promise.reject(new Error("Network connection lost."));
  const away: Partial<GroupApi> = { paused: lost, resumed: lost };
  const bindings: Bindings = { ...env, GROUPS: { getByName: () => away } as unknown as Env["GROUPS"] };
  const context = createExecutionContext();
  const request = new Request(`https://api.test/container-groups/${group}/pause`, {
    method: "POST",
    headers: { "X-Kelpie-Key": user.key },
  });
  expect((await createApp().fetch(request, bindings, context)).status).toBe(200);
  await waitOnExecutionContext(context);
  expect(warnings.mock.calls.map(([line]) => JSON.parse(String(line)).event)).toContain("pause_hint_lost");
  warnings.mockRestore();
  expect(await claim(user.key, group, "m2")).toEqual([]);
});

test("a group may be paused before it has jobs", async () => {
  const group = newGroup();
  await call(group, "pause");
  await submit(user.key, { container_group_id: group });
  expect(await claim(user.key, group, "m1")).toEqual([]);
  await call(group, "resume");
  expect(await claim(user.key, group, "m1")).toHaveLength(1);
});

test("resuming wakes as many agents as there are jobs", async () => {
  const group = newGroup();
  const agents = {
    m1: await connect(user.key, group, "m1"),
    m2: await connect(user.key, group, "m2"),
    m3: await connect(user.key, group, "m3"),
  };
  await call(group, "pause");
  // Taken in before anybody waits: nobody is left to be woken for them.
  await env.DB.batch(
    ["a", "b"].map((name) =>
      env.DB.prepare(
        `INSERT INTO jobs (id, user_id, container_group_id, command, arguments, environment, sync, max_failures,
           heartbeat_interval, created) VALUES (?1, ?2, ?3, 'c', '[]', '{}', '{}', 3, 30, 1)`,
      ).bind(`${name}-${group}`, user.id, group),
    ),
  );
  await lineUp(user.id, group, agents);
  await call(group, "resume");
  expect(await agents.m1.next()).toEqual({ type: "wake" });
  expect(await agents.m2.next()).toEqual({ type: "wake" });
  await agents.m3.upToDate();
  expect(agents.m3.messages).toEqual([{ type: "resume" }]);
});

test("each user's group is his own", async () => {
  const group = newGroup();
  await submit(user.key, { container_group_id: group });
  expect((await call(group, "pause", other.key)).status).toBe(200);
  expect(await claim(user.key, group, "m1")).toHaveLength(1);
  const foreign = await call(group, "pause", other.key, `?user_id=${user.id}`);
  expect(foreign.status).toBe(403);
  expect((await call(group, "resume", other.key, `?user_id=${user.id}`)).status).toBe(403);
  expect(await pausedGroups()).not.toContainEqual({ user_id: user.id, container_group_id: group });
});

test("the admin names the user; one that does not exist is a 404", async () => {
  const group = newGroup();
  await submit(user.key, { container_group_id: group });
  expect((await call(group, "pause", adminKey, `?user_id=${user.id}`)).status).toBe(200);
  expect(await claim(user.key, group, "m1")).toEqual([]);
  expect((await call(group, "resume", adminKey, `?user_id=${user.id}`)).status).toBe(200);
  expect(await claim(user.key, group, "m1")).toHaveLength(1);
  const before = await pausedGroups();
  expect((await call(group, "pause", adminKey, `?user_id=${crypto.randomUUID()}`)).status).toBe(404);
  expect(await call(group, "pause", adminKey, "?user_id=me")).toMatchObject({
    status: 400,
    body: { field: "user_id" },
  });
  expect(await pausedGroups()).toEqual(before);
});

test.each(["x".repeat(257), "a\0b"])("an id that no group can have is a 404: %j", async (group) => {
  const before = await pausedGroups();
  expect((await call(group, "pause")).status).toBe(404);
  expect((await call(group, "resume")).status).toBe(404);
  expect(
    (await send("GET", `/container-groups/${encodeURIComponent(group)}`, { key: user.key })).status,
  ).toBe(404);
  expect(await pausedGroups()).toEqual(before);
});

test("an id with a slash is one", async () => {
  const group = `a/b ${newGroup()}`;
  expect((await call(group, "pause")).body.container_group_id).toBe(group);
});
