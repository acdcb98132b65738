/** Who may open a socket, and what keeps it in bounds. */
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, expect, test, vi } from "vitest";
import type { ErrorBody } from "../../../src/contract/index.ts";
import { newGroup, signUp, submit } from "../http/client.ts";
import { attachmentsOf, connect, knock, lineUp, stubOf, waiting } from "./agents.ts";

let user: { id: string; key: string };
let stranger: { id: string; key: string };
beforeAll(async () => {
  user = await signUp("connector");
  stranger = await signUp("socket-stranger");
});

const query = { machine_id: "m1", container_group_id: "group" };
const upgrade = { Upgrade: "websocket" };

test.each<[string, Record<string, string>, Record<string, string>, number, string]>([
  ["no credential", query, upgrade, 401, "unauthorized"],
  ["a wrong one", query, { ...upgrade, "X-Kelpie-Key": "wrong" }, 403, "forbidden"],
])("%s opens nothing", async (_case, asked, headers, status, error) => {
  const response = await knock(asked, headers);
  expect(response.status).toBe(status);
  expect(response.webSocket).toBeNull();
  expect(await response.json()).toMatchObject({ error });
});

test("a credential in the URL is none", async () => {
  const response = await knock({ ...query, "X-Kelpie-Key": user.key, key: user.key }, upgrade);
  expect(response.status).toBe(401);
});

test.each<[string, Record<string, string>, string]>([
  ["no machine", { container_group_id: "group" }, "machine_id"],
  ["no group", { machine_id: "m1" }, "container_group_id"],
  ["an empty machine", { ...query, machine_id: "" }, "machine_id"],
  ["an id that is too long", { ...query, agent_id: "x".repeat(257) }, "agent_id"],
])("%s is a 400 that names the field", async (_case, asked, field) => {
  const response = await knock(asked, { ...upgrade, "X-Kelpie-Key": user.key });
  expect(response.status).toBe(400);
  expect(await response.json<ErrorBody>()).toMatchObject({ error: "invalid_request", field });
});

test("without an upgrade it is a 426", async () => {
  const response = await knock(query, { "X-Kelpie-Key": user.key });
  expect(response.status).toBe(426);
  expect(response.headers.get("upgrade")).toBe("websocket");
  expect(await response.json()).toMatchObject({ error: "upgrade_required" });
});

test("another user's group of the same name is another group: nothing is heard of it", async () => {
  const group = newGroup();
  const mine = await connect(user.key, group, "m1");
  const theirs = await connect(stranger.key, group, "m1");
  await lineUp(user.id, group, { m1: mine });
  await lineUp(stranger.id, group, { m1: theirs });
  await submit(user.key, { container_group_id: group });
  expect(await mine.next()).toEqual({ type: "wake" });
  await theirs.upToDate();
  expect(theirs.messages).toEqual([{ type: "resume" }]);
});

test("ids of the longest allowed length, in any script", async () => {
  const group = "\u6e2c".repeat(256);
  const machine = "\u00e9".repeat(256);
  const agent = await connect(user.key, group, machine, {
    instance_id: "\u6e2c".repeat(256),
    agent_id: "\u6e2c".repeat(256),
  });
  await lineUp(user.id, group, { [machine]: agent });
});

test("an agent's new socket takes the place of its old one; eight agents of one machine keep theirs", async () => {
  const group = newGroup();
  const old = await connect(user.key, group, "m1", { agent_id: "a1" });
  await connect(user.key, group, "m1", { agent_id: "a2" });
  await connect(user.key, group, "m1");
  await connect(user.key, group, "m1");
  await lineUp(user.id, group, { m1: old });
  await connect(user.key, group, "m1", { agent_id: "a1" });
  expect(await old.closed).toMatchObject({ reason: "replaced by a newer one" });
  expect(await waiting(user.id, group)).toEqual([]);
  await expect.poll(async () => (await attachmentsOf(user.id, group)).length).toBe(4);
});

test("what is not understood is ignored, what is too large ends the socket", async () => {
  const group = newGroup();
  const agent = await connect(user.key, group, "m1");
  for (const text of ["", "{", "[]", '{"type":"sleeping"}', "null"]) agent.send(text);
  await lineUp(user.id, group, { m1: agent });
  agent.send(JSON.stringify({ type: "busy", more: "x".repeat(1024) }));
  expect(await agent.closed).toMatchObject({ reason: "not a message of an agent" });
});

test("a closed socket is forgotten", async () => {
  const group = newGroup();
  const agent = await connect(user.key, group, "m1");
  await lineUp(user.id, group, { m1: agent });
  agent.close();
  await expect.poll(() => waiting(user.id, group)).toEqual([]);
});

test("2,000 sockets are enough for one group: the next is a 503", async () => {
  const group = newGroup();
  await runInDurableObject(stubOf(user.id, group), async (object) => {
    for (let i = 0; i < 2_000; i++) {
      const url = `https://group.internal/?machine_id=m${i}&container_group_id=${group}`;
      expect((await object.fetch(new Request(url, { headers: upgrade }))).status).toBe(101);
    }
  });
  const asked = { machine_id: "one-more", container_group_id: group };
  const headers = { ...upgrade, "X-Kelpie-Key": user.key };
  const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  expect((await knock(asked, headers)).status).toBe(503);
  warnings.mockRestore();
});
