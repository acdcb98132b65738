/** Scaling rules as people make them: the group must be there by Salad's word, and a rule never contradicts itself. */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import type { ErrorBody, ScalingRule, ScalingRuleList, Token, User } from "../../../src/contract/index.ts";
import type { FaultKind } from "../../salad/controls.ts";
import { adminKey, send } from "../http/client.ts";
import {
  newOrganization,
  newOrganizationName,
  reachByDeployment,
  requestsAbout,
  salad,
} from "../salad/world.ts";

interface Caller {
  /** `X-Kelpie-Key` of a user whose token is bound to the organization. */
  key: string;
  userId: string;
  organization: string;
  saladKey: string;
  groupId: string;
}

/** A user, an organization that the deployment's key reaches too, and a group in it. */
async function newCaller(): Promise<Caller> {
  const { name: organization, key: saladKey } = await newOrganization();
  await reachByDeployment(organization);
  const { id: groupId } = await salad.addGroup({ organization, name: "trainers" });
  const username = newOrganizationName();
  const user = await send<User>("POST", "/users", { key: adminKey, body: { username } });
  return { ...(await newToken(user.body.id, organization)), saladKey, groupId };
}

async function newToken(userId: string, organization: string) {
  const names = { org_name: organization, project_name: "default" };
  const token = await send<Token>("POST", `/users/${userId}/token`, { key: adminKey, body: names });
  return { key: token.body.token, userId, organization };
}

let caller: Caller;
beforeEach(async () => {
  // More rules than anybody makes at once.
  await runInDurableObject(env.SALAD_DESK.getByName("deployment"), (_desk, { storage }) =>
    storage.deleteAll(),
  );
  caller = await newCaller();
});
const bounds = { min_replicas: 1, max_replicas: 3, idle_threshold_seconds: 300 };
const create = <Body = ScalingRule>(
  fields: Record<string, unknown> = {},
  { key = caller.key, headers = {} }: { key?: string; headers?: Record<string, string> } = {},
) =>
  send<Body>("POST", "/scaling-rules", {
    key,
    headers,
    body: { container_group_id: caller.groupId, ...bounds, ...fields },
  });
const read = <Body = ScalingRule>(key = caller.key, more = "") =>
  send<Body>("GET", `/scaling-rules/${caller.groupId}${more}`, { key });
const change = <Body = ScalingRule>(body: unknown, key = caller.key, more = "") =>
  send<Body>("PATCH", `/scaling-rules/${caller.groupId}${more}`, { key, body });
const remove = (key = caller.key, more = "") =>
  send("DELETE", `/scaling-rules/${caller.groupId}${more}`, { key });
const list = async (key = caller.key, more = "") =>
  (await send<ScalingRuleList>("GET", `/scaling-rules${more}`, { key })).body;

describe("POST /scaling-rules", () => {
  test("makes a rule, with the group's name as Salad has it and the credential's organization and project", async () => {
    const { status, body } = await create({ org_name: "ignored", project_name: "ignored" });
    expect(status).toBe(201);
    expect(body).toEqual({
      container_group_id: caller.groupId,
      ...bounds,
      jobs_per_replica: 1,
      scale_up_cooldown_seconds: 0,
      scale_down_cooldown_seconds: 900,
      paused: false,
      org_name: caller.organization,
      project_name: "default",
      container_group_name: "trainers",
      user_id: caller.userId,
      created: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updated: body.created,
    });
    expect((await read()).body).toEqual(body);
  });

  test("takes the bounds of the bounds", async () => {
    const widest = { min_replicas: 0, max_replicas: 500, idle_threshold_seconds: 3600 };
    expect((await create(widest)).body).toMatchObject(widest);
    await remove();
    const narrowest = { min_replicas: 500, max_replicas: 500, idle_threshold_seconds: 0 };
    expect((await create(narrowest)).body).toMatchObject(narrowest);
  });

  test.each<[string, Record<string, unknown>]>([
    ["min_replicas", { min_replicas: -1 }],
    ["min_replicas", { min_replicas: 4 }],
    ["min_replicas", { min_replicas: 1.5 }],
    ["min_replicas", { min_replicas: undefined }],
    ["max_replicas", { max_replicas: 501 }],
    ["max_replicas", { max_replicas: "3" }],
    ["max_replicas", { max_replicas: undefined }],
    ["idle_threshold_seconds", { idle_threshold_seconds: 3601 }],
    ["idle_threshold_seconds", { idle_threshold_seconds: -1 }],
    ["idle_threshold_seconds", { idle_threshold_seconds: null }],
    ["container_group_id", { container_group_id: undefined }],
    ["container_group_id", { container_group_id: "" }],
  ])("refuses a wrong %s: %j, and asks nobody", async (field, fields) => {
    const { status, body } = await create<ErrorBody>(fields);
    expect([status, body.error, body.field]).toEqual([400, "invalid_request", field]);
    expect(await list()).toEqual({ _count: 0, rules: [] });
    expect(await requestsAbout(caller.organization)).toEqual([]);
  });

  test("a group that Salad does not list in that project is a 400, and nothing is written", async () => {
    const { id } = await salad.addGroup({ organization: (await newCaller()).organization, name: "others" });
    const { status, body } = await create<ErrorBody>({ container_group_id: id });
    expect([status, body.field]).toEqual([400, "container_group_id"]);
    expect(await list()).toEqual({ _count: 0, rules: [] });
    expect(await knownGroups(caller.userId)).toEqual([]);
  });

  test("of an organization or project that Salad does not know or that can have no such name: the same", async () => {
    const { userId } = caller;
    for (const [org_name, project_name] of [
      [caller.organization, "nobodys"],
      ["No Name On Salad", "default"],
    ]) {
      const names = { org_name, project_name };
      const token = await send<Token>("POST", `/users/${userId}/token`, { key: adminKey, body: names });
      const { status, body } = await create<ErrorBody>({}, { key: token.body.token });
      expect([names, status, body.field]).toEqual([names, 400, "container_group_id"]);
    }
  });

  test("a second rule for the group is a 400; the first one stays as it was", async () => {
    const first = await create();
    const { status, body } = await create<ErrorBody>({ max_replicas: 9 });
    expect([status, body.field]).toEqual([400, "container_group_id"]);
    expect((await read()).body).toEqual(first.body);
    expect(await requestsAbout(caller.organization)).toHaveLength(1);
  });

  test("of eight at once for one group, one is made", async () => {
    const statuses = await Promise.all(
      Array.from({ length: 8 }, async (_, i) => (await create({ max_replicas: i + 1 })).status),
    );
    expect(statuses.sort()).toEqual([201, 400, 400, 400, 400, 400, 400, 400]);
    expect((await list())._count).toBe(1);
  });

  test("remembers which groups the project has", async () => {
    const { id } = await salad.addGroup({ organization: caller.organization, name: "renderers" });
    await create();
    const known = await knownGroups(caller.userId);
    expect(
      known.map((group) => [group.container_group_id, group.project_name, group.container_group_name]),
    ).toEqual(
      [
        [caller.groupId, "default", "trainers"],
        [id, "default", "renderers"],
      ].sort(),
    );
  });
});

async function knownGroups(userId: string) {
  const sql = "SELECT * FROM salad_groups WHERE user_id = ? ORDER BY container_group_id";
  return (await env.DB.prepare(sql).bind(userId).all<Record<string, unknown>>()).results;
}

describe("with which key Salad is asked", () => {
  test("the request's own, where it carries one", async () => {
    await create({}, { headers: { "Salad-Api-Key": caller.saladKey } });
    const asked = await requestsAbout(caller.organization);
    expect(asked.map(({ key }) => key)).toEqual([caller.saladKey]);
  });

  test("else the deployment's", async () => {
    await create();
    const asked = await requestsAbout(caller.organization);
    expect(asked.map(({ key }) => key)).toEqual([env.SALAD_API_KEY]);
  });

  test("own key that does not reach so far is a 403, though the deployment's would", async () => {
    const stranger = await newOrganization();
    const { status, body } = await create<ErrorBody>({}, { headers: { "Salad-Api-Key": stranger.key } });
    expect([status, body.error]).toEqual([403, "forbidden"]);
    expect(body.message).toContain("Salad-Api-Key");
    expect(JSON.stringify(body)).not.toContain(stranger.key);
    expect((await list())._count).toBe(0);
  });

  test("a deployment's key that does not reach so far is a 403 that names the variable and not the key", async () => {
    const { name } = await newOrganization();
    const { key } = await newToken(caller.userId, name);
    const { status, body } = await create<ErrorBody>({}, { key });
    expect(status).toBe(403);
    expect(body.message).toContain("SALAD_API_KEY");
    expect(JSON.stringify(body)).not.toContain(env.SALAD_API_KEY);
  });

  test("with neither: a 403 that says what is missing", async () => {
    const request = new Request("https://api.test/scaling-rules", {
      method: "POST",
      headers: { "X-Kelpie-Key": caller.key },
      body: JSON.stringify({ container_group_id: caller.groupId, ...bounds }),
    });
    const answer = await createApp().fetch(request, { ...env, SALAD_API_KEY: "" });
    expect(answer.status).toBe(403);
    expect(((await answer.json()) as ErrorBody).message).toMatch(/Salad-Api-Key.*SALAD_API_KEY/);
  });
});

describe("while Salad cannot tell: 503, never a no", () => {
  test.each<[string, FaultKind]>([
    ["a 500", { kind: "problem", status: 500 }],
    ["a 429", { kind: "problem", status: 429 }],
    ["a 400 of its own", { kind: "problem", status: 400 }],
    ["a firewall's 403", { kind: "html", status: 403 }],
    ["a list that is cut short", { kind: "body", status: 200, body: '{"items": [' }],
    ["a reset connection", { kind: "reset" }],
  ])("%s", async (_name, kind) => {
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    await salad.addFault({ ...kind, times: 1, on: { path: `/${caller.organization}/` } });
    const { status, body, headers } = await create<ErrorBody>();
    expect([status, body.error]).toEqual([503, "unavailable"]);
    expect(headers.get("retry-after")).toBeTruthy();
    expect((await list())._count).toBe(0);
    // The operator is told why; nobody is told the key or shown Salad's page.
    const told = warnings.mock.calls.map(String).join("\n");
    warnings.mockRestore();
    expect(told).toContain("salad_group_unverified");
    for (const text of [told, JSON.stringify(body)]) {
      expect(text).not.toContain(env.SALAD_API_KEY);
      expect(text).not.toContain("html>");
    }
    expect((await create()).status).toBe(201);
  });
});

describe("PATCH /scaling-rules/:id", () => {
  test.each([
    { min_replicas: 0 },
    { max_replicas: 7 },
    { idle_threshold_seconds: 0 },
    { min_replicas: 5, max_replicas: 6 },
    { min_replicas: 2, container_group_id: "ignored", org_name: "ignored" },
  ])("changes what is given and nothing else: %j", async (patch) => {
    const before = (await create()).body;
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 1000 });
    const { status, body } = await change(patch);
    vi.useRealTimers();
    expect(status).toBe(200);
    const {
      container_group_id: _,
      org_name: __,
      ...taken
    } = { container_group_id: "", org_name: "", ...patch };
    expect(body).toEqual({ ...before, ...taken, updated: body.updated });
    expect(Date.parse(body.updated)).toBeGreaterThan(Date.parse(before.updated));
    expect((await read()).body).toEqual(body);
  });

  test.each<[string | undefined, unknown]>([
    [undefined, {}],
    [undefined, { container_group_id: "another" }],
    ["min_replicas", { min_replicas: 4 }],
    ["max_replicas", { max_replicas: 0 }],
    ["min_replicas", { min_replicas: 6, max_replicas: 5 }],
    ["min_replicas", { min_replicas: -1 }],
    ["max_replicas", { max_replicas: 501 }],
    ["max_replicas", { max_replicas: null }],
    ["idle_threshold_seconds", { idle_threshold_seconds: 3601 }],
  ])("a change with %s at fault, %j, is a 400, and the rule stays as it was", async (field, patch) => {
    const before = (await create()).body;
    const { status, body } = await change<ErrorBody>(patch);
    expect([status, body.error, body.field]).toEqual([400, "invalid_request", field]);
    expect((await read()).body).toEqual(before);
  });

  test("two changes at once, each right by itself, never leave min above max", async () => {
    await create({ min_replicas: 1, max_replicas: 5 });
    const answers = await Promise.all([change({ min_replicas: 4 }), change({ max_replicas: 2 })]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 400]);
    const { min_replicas, max_replicas } = (await read()).body;
    expect(min_replicas).toBeLessThanOrEqual(max_replicas);
  });

  test("does not ask Salad", async () => {
    await create();
    await change({ max_replicas: 4 });
    expect(await requestsAbout(caller.organization)).toHaveLength(1);
  });
});

describe("GET and DELETE", () => {
  test("a user's rules, by group, page by page", async () => {
    const ids = [caller.groupId];
    for (const name of ["second", "third"]) {
      ids.push((await salad.addGroup({ organization: caller.organization, name })).id);
    }
    for (const container_group_id of ids) await create({ container_group_id });
    const all = await list();
    expect(all._count).toBe(3);
    expect(all.rules.map((rule) => rule.container_group_id)).toEqual([...ids].sort());
    expect((await list(caller.key, "?page_size=2")).rules).toEqual(all.rules.slice(0, 2));
    expect(await list(caller.key, "?page_size=2&page=2")).toEqual({ _count: 1, rules: all.rules.slice(2) });
  });

  test.each(["page_size=0", "page_size=1001", "page=0", "page=x"])("%s is a 400", async (query) => {
    const { status, body } = await send("GET", `/scaling-rules?${query}`, { key: caller.key });
    expect([status, body.field]).toEqual([400, query.split("=")[0]]);
  });

  test("one is removed once: 204, then 404 to every verb", async () => {
    await create();
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
    expect((await read<ErrorBody>()).status).toBe(404);
    const { status, body } = await change<ErrorBody>({ max_replicas: 4 });
    expect([status, body.message]).toEqual([404, "no such scaling rule"]);
    expect((await create()).status).toBe(201);
  });
});

describe("whose rule it is", () => {
  let stranger: { key: string; userId: string };
  beforeEach(async () => {
    stranger = await newCaller();
  });

  test("another user neither sees, changes nor removes it, nor makes a second one for its group", async () => {
    const rule = (await create()).body;
    expect((await read<ErrorBody>(stranger.key)).status).toBe(404);
    expect((await change<ErrorBody>({ max_replicas: 9 }, stranger.key)).status).toBe(404);
    expect((await remove(stranger.key)).status).toBe(404);
    expect((await list(stranger.key))._count).toBe(0);
    // Nor by saying that he is its owner.
    const asOwner = `?user_id=${caller.userId}`;
    expect((await read<ErrorBody>(stranger.key, asOwner)).status).toBe(404);
    expect((await change<ErrorBody>({ max_replicas: 9 }, stranger.key, asOwner)).status).toBe(404);
    expect((await remove(stranger.key, asOwner)).status).toBe(404);
    expect((await read()).body).toEqual(rule);

    const token = await newToken(stranger.userId, caller.organization);
    const theirs = await create<ErrorBody>({ max_replicas: 9 }, { key: token.key });
    expect([theirs.status, theirs.body.field]).toEqual([400, "container_group_id"]);
    expect(theirs.body.message).toContain("another user");
    expect(JSON.stringify(theirs.body)).not.toContain(caller.userId);
    expect((await read()).body).toEqual(rule);
    await remove();
    expect((await create({ max_replicas: 9 }, { key: token.key })).body.user_id).toBe(stranger.userId);
  });

  test("the admin sees, changes and removes anybody's", async () => {
    const rule = (await create()).body;
    expect((await list(adminKey)).rules).toContainEqual(rule);
    expect((await read(adminKey)).body).toEqual(rule);
    expect((await change({ max_replicas: 9 }, adminKey)).body).toMatchObject({ max_replicas: 9 });
    expect((await remove(adminKey)).status).toBe(204);
    expect((await remove(adminKey)).status).toBe(404);
  });

  test("of two users at once, one makes the rule of a group", async () => {
    const token = await newToken(stranger.userId, caller.organization);
    const both = await Promise.all([create(), create({}, { key: token.key })]);
    expect(both.map(({ status }) => status).sort()).toEqual([201, 400]);
  });

  test("the admin says whose, where several users have one since earlier versions", async () => {
    await create();
    await env.DB.prepare(
      `INSERT INTO scaling_rules (user_id, container_group_id, org_name, project_name, container_group_name,
         min_replicas, max_replicas, idle_threshold_seconds, created, updated)
       SELECT ?1, container_group_id, org_name, project_name, container_group_name, 1, 3, 300, created, updated
       FROM scaling_rules WHERE container_group_id = ?2`,
    )
      .bind(stranger.userId, caller.groupId)
      .run();
    const unclear = await change<ErrorBody>({ max_replicas: 9 }, adminKey);
    expect([unclear.status, unclear.body.field]).toEqual([400, "user_id"]);
    const clear = await change({ max_replicas: 9 }, adminKey, `?user_id=${stranger.userId}`);
    expect(clear.body).toMatchObject({ user_id: stranger.userId, max_replicas: 9 });
    expect((await read()).body.max_replicas).toBe(3);
    expect((await remove(adminKey, `?user_id=${stranger.userId}`)).status).toBe(204);
    expect((await read()).status).toBe(200);
  });

  test("the admin makes one for the admin's own queue, and says where the group is", async () => {
    const headers = { "Salad-Api-Key": caller.saladKey };
    for (const [field, named] of [
      ["org_name", { project_name: "default" }],
      ["project_name", { org_name: caller.organization }],
    ] as const) {
      const { status, body } = await create<ErrorBody>(named, { key: adminKey, headers });
      expect([status, body.field]).toEqual([400, field]);
    }
    const named = { org_name: caller.organization, project_name: "default" };
    const { status, body } = await create(named, { key: adminKey, headers });
    expect([status, body.org_name, body.container_group_name]).toEqual([
      201,
      caller.organization,
      "trainers",
    ]);
    expect(body.user_id).not.toBe(caller.userId);
    expect((await read<ErrorBody>()).status).toBe(404);
    expect((await remove(adminKey)).status).toBe(204);
  });

  test("a user who is removed leaves none behind, nor what was known of his groups", async () => {
    await create();
    const named = { org_name: caller.organization, project_name: "default" };
    const { id } = await salad.addGroup({ organization: caller.organization, name: "admins" });
    const admins = await create({ ...named, container_group_id: id }, { key: adminKey });
    expect((await send("DELETE", "/users", { key: adminKey })).status).toBe(204);
    expect((await list(adminKey)).rules).toEqual([admins.body]);
    expect(await knownGroups(caller.userId)).toEqual([]);
  });

  test("all are removed by the admin, and by nobody else", async () => {
    await create();
    expect((await send("DELETE", "/scaling-rules", { key: caller.key })).status).toBe(403);
    expect((await read()).status).toBe(200);
    expect((await send("DELETE", "/scaling-rules", { key: adminKey })).status).toBe(204);
    expect(await list(adminKey)).toEqual({ _count: 0, rules: [] });
  });
});
