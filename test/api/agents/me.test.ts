/** `GET /agents/me`: what an agent's `kelpie check` asks. */
import { beforeAll, expect, test } from "vitest";
import type { AgentIdentity, Token } from "../../../src/contract/index.ts";
import { adminKey, send, signUp } from "../http/client.ts";

const ask = (key: string, query = "machine_id=m1&container_group_id=group") =>
  send<AgentIdentity & { message?: string; field?: string }>("GET", `/agents/me?${query}`, { key });

let user: { id: string; key: string };
let node: string;
beforeAll(async () => {
  user = await signUp("checkers");
  const body = { role: "node", container_group_id: "group" };
  node = (await send<Token>("POST", "/users/me/tokens", { key: user.key, body })).body.token;
});

test("tells whom the credential speaks for: a person, a node, the admin", async () => {
  const known = { user_id: user.id, org_name: "checkers", project_name: "default", managed_storage: true };
  expect((await ask(user.key)).body).toEqual({ ...known, role: "user" });
  expect((await ask(node)).body).toEqual({ ...known, role: "node" });
  const nobodys = { org_name: null, project_name: null, role: "admin" };
  expect((await ask(adminKey)).body).toMatchObject(nobodys);
});

test("refuses a node that says it is in another group, before the first claim does", async () => {
  const { status, body } = await ask(node, "machine_id=m1&container_group_id=another");
  expect([status, body.message]).toEqual([
    403,
    "container_group_id is not the group of this node's credential",
  ]);
});

test.each(["machine_id=m1", "container_group_id=group"])("refuses %s alone", async (query) => {
  const { status, body } = await ask(user.key, query);
  const missing = query.startsWith("machine_id") ? "container_group_id" : "machine_id";
  expect([status, body.field]).toEqual([400, missing]);
});

test("changes nothing: no job is claimed, whatever waits", async () => {
  const body = { command: "x", container_group_id: "group", sync: {} };
  const { body: job } = await send<{ id: string }>("POST", "/jobs", { key: user.key, body });
  await ask(node);
  const { body: after } = await send<{ status: string; num_heartbeats: number }>("GET", `/jobs/${job.id}`, {
    key: user.key,
  });
  expect(after.status).toBe("pending");
});
