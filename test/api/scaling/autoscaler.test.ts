/** The autoscaler on the real thing: workerd, D1, the objects, and SaladCloud over HTTP. */

import { createScheduledController, evictAllDurableObjects } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import type {
  ErrorBody,
  GroupStatus,
  Job,
  ScalingEvaluation,
  ScalingHistory,
  Token,
  User,
} from "../../../src/contract/index.ts";
import { purge } from "../../../src/cron/purge.ts";
import { scale } from "../../../src/cron/scale.ts";
import { prepare } from "../../../src/db/prepare.ts";
import { keptEvents, listEvents, purgeEvents, recordEvent } from "../../../src/db/scaling/events.ts";
import { closeHold, openHold, readHoldsWithoutRule } from "../../../src/db/scaling/holds.ts";
import { readEndedLately, readEndedLatelyOf, readQueue, readQueues } from "../../../src/db/scaling/queues.ts";
import { beginStep, revertStep } from "../../../src/db/scaling/steps.ts";
import type { Statement } from "../../../src/db/statement.ts";
import worker from "../../../src/index.ts";
import { deskOf } from "../../../src/scaling/salad-desk.ts";
import { adminKey, send, submission } from "../http/client.ts";
import {
  newOrganization,
  newOrganizationName,
  reachByDeployment,
  requestsAbout,
  salad,
} from "../salad/world.ts";

let key: string;
let userId: string;
let organization: string;
let groupId: string;

const groupUrl = () =>
  `${env.SALAD_API_URL}/organizations/${organization}/projects/default/containers/trainers`;

/** The group as Salad's API shows it. */
async function group(): Promise<{ replicas: number; status: string }> {
  const answer = await fetch(groupUrl(), { headers: { "Salad-Api-Key": env.SALAD_API_KEY } });
  const body = (await answer.json()) as { replicas: number; current_state: { status: string } };
  return { replicas: body.replicas, status: body.current_state.status };
}

async function newRule(replicas: number, fields: Record<string, unknown> = {}, stopped = false) {
  const made = await newOrganization();
  organization = made.name;
  await reachByDeployment(organization);
  groupId = (await salad.addGroup({ organization, name: "trainers", replicas, stopped })).id;
  const user = await send<User>("POST", "/users", {
    key: adminKey,
    body: { username: newOrganizationName() },
  });
  userId = user.body.id;
  const names = { org_name: organization, project_name: "default" };
  const token = await send<Token>("POST", `/users/${userId}/token`, { key: adminKey, body: names });
  key = token.body.token;
  const bounds = {
    min_replicas: 0,
    max_replicas: 5,
    idle_threshold_seconds: 0,
    scale_down_cooldown_seconds: 0,
  };
  const { status } = await send("POST", "/scaling-rules", {
    key,
    body: { container_group_id: groupId, ...bounds, ...fields },
  });
  expect(status).toBe(201);
}

const history = (more = "") =>
  send<ScalingHistory>("GET", `/scaling-rules/${groupId}/events${more}`, { key });
const evaluate = (more = "") =>
  send<ScalingEvaluation>("POST", `/scaling-rules/${groupId}/evaluate${more}`, { key });
const claim = (machine: string, instance: string) =>
  send<Job[]>(
    "GET",
    `/work?${new URLSearchParams({ machine_id: machine, container_group_id: groupId, instance_id: instance, claim_id: crypto.randomUUID() })}`,
    { key },
  );

beforeEach(async () => {
  // Rules of the tests before are of groups that nothing is asked about any more.
  await env.DB.prepare("DELETE FROM scaling_rules").run();
});

test("jobs come, the cron scales up; they end, it scales down to the busy node and then stops the group", async () => {
  await newRule(1);
  const jobs: string[] = [];
  for (let n = 0; n < 3; n++) {
    jobs.push(
      (await send<Job>("POST", "/jobs", { key, body: submission({ container_group_id: groupId }) })).body.id,
    );
  }
  // The whole cron, as the runtime fires it.
  await worker.scheduled(createScheduledController(), env);
  expect(await group()).toMatchObject({ replicas: 3 });

  const [first] = (await salad.listInstances({ organization })).filter((one) => one.groupId === groupId);
  const machine = first?.machineId ?? "";
  const [held] = (await claim(machine, first?.id ?? "")).body;
  await fetch(`${env.SIMULATED_SALAD_URL}/imds/${first?.id}/v1/deletion-cost`, {
    method: "PUT",
    headers: { Metadata: "true", "Content-Type": "application/json" },
    body: JSON.stringify({ deletion_cost: 500 }),
  });
  for (const id of jobs) if (id !== held?.id) await send("DELETE", `/jobs/${id}`, { key });
  expect(await scale(env)).toMatchObject({ steps: 1, failed: 0 });
  expect(await group()).toMatchObject({ replicas: 1 });
  const left = (await salad.listInstances({ organization })).map(({ id }) => id);
  expect(left).toEqual([first?.id]);

  await send("DELETE", `/jobs/${held?.id}`, { key });
  expect(await scale(env)).toMatchObject({ steps: 1, failed: 0 });
  expect(await group()).toMatchObject({ status: "stopped" });

  const { body } = await history();
  expect(
    body.events.map(({ action, replicas_before, replicas_after, trigger }) => [
      action,
      replicas_before,
      replicas_after,
      trigger,
    ]),
  ).toEqual([
    ["stop", 1, 0, "cron"],
    ["scale_down", 3, 1, "cron"],
    ["scale_up", 1, 3, "cron"],
  ]);
  expect(body.events[1]).toMatchObject({ error: null, wanted: 1, inputs: { running: 1, busy_nodes: 1 } });
  const page = await history("?limit=2");
  expect([page.body._count, page.body.next_cursor]).toEqual([2, body.events[1]?.id]);
  const next = await history(`?limit=2&cursor=${page.body.next_cursor}`);
  expect([next.body.events, next.body.next_cursor]).toEqual([body.events.slice(2), null]);

  const shown = await send<GroupStatus>("GET", `/container-groups/${groupId}`, { key });
  expect(shown.body.scaling?.last_decision).toMatchObject({ action: "stop", replicas_after: 0, error: null });
  // All that the autoscaler changed: replicas alone, by the one kind of patch that Salad documents.
  const changes = (await requestsAbout(organization)).filter(({ method }) => method !== "GET");
  expect(changes.map(({ method, path }) => `${method} ${path.split("/").at(-1)}`)).toEqual([
    "PATCH trainers",
    "PATCH trainers",
    "POST stop",
  ]);
});

test("a job for a group without instances starts it at once; a second one does not ask again", async () => {
  await newRule(2, {}, true);
  const submit = () => send("POST", "/jobs", { key, body: submission({ container_group_id: groupId }) });
  expect((await submit()).status).toBe(202);
  await vi.waitUntil(async () => (await history()).body.events.length > 0, {
    timeout: 20_000,
    interval: 200,
  });
  expect(await group()).toMatchObject({ replicas: 1 });
  expect((await history()).body.events).toMatchObject([{ trigger: "submission", action: "start" }]);
  const asked = (await requestsAbout(organization)).length;
  await submit();
  expect((await requestsAbout(organization)).length).toBe(asked);
});

/** The look after a submission comes two seconds later. */
const lookAfterSubmission = () => new Promise((resolve) => setTimeout(resolve, 3_000));
const started = () =>
  vi.waitUntil(async () => (await group()).status !== "stopped", { timeout: 20_000, interval: 200 });

test("a paused group gets no instances, and gets them when it is resumed", { timeout: 30_000 }, async () => {
  await newRule(2, {}, true);
  await send("POST", `/container-groups/${groupId}/pause`, { key });
  await send("POST", "/jobs", { key, body: submission({ container_group_id: groupId }) });
  await lookAfterSubmission();
  await scale(env);
  expect(await group()).toMatchObject({ status: "stopped" });
  await send("POST", `/container-groups/${groupId}/resume`, { key });
  await started();
});

test("a job that is retried starts its group", { timeout: 30_000 }, async () => {
  await newRule(2, {}, true);
  const { body } = await send<Job>("POST", "/jobs", {
    key,
    body: submission({ container_group_id: groupId }),
  });
  await send("DELETE", `/jobs/${body.id}`, { key });
  await lookAfterSubmission();
  // It tells of nobody there once in a while only; restarted, at once.
  await evictAllDurableObjects();
  expect(await group()).toMatchObject({ status: "stopped" });
  expect((await send("POST", `/jobs/${body.id}/retry`, { key })).status).toBe(202);
  await started();
});

test("a group that is gone takes its rule along, and its history stays", async () => {
  await newRule(1);
  await salad.removeGroup({ id: groupId });
  await scale(env);
  expect((await send("GET", `/scaling-rules/${groupId}`, { key })).status).toBe(404);
  expect((await history()).body.events).toMatchObject([{ action: "remove_rule", error: null }]);
});

test("one organization's trouble is not another's", async () => {
  await newRule(1);
  await salad.addFault({ kind: "html", status: 403, on: { path: `/${organization}/` } });
  const troubled = { key, groupId };
  const kept = await env.DB.prepare("SELECT * FROM scaling_rules").all();
  await newRule(1);
  expect(kept.results).toHaveLength(1);
  expect(await scale(env)).toMatchObject({ rules: 2, steps: 1, failed: 1 });
  expect(await group()).toMatchObject({ status: "stopped" });
  ({ key, groupId } = troubled);
  expect((await history()).body.events).toMatchObject([
    { action: "none", error: "SaladCloud gave no answer to go by: 403 with HTML" },
  ]);
  // Who asks why a job waits is told as well.
  await send("POST", "/jobs", { key, body: submission({ container_group_id: groupId }) });
  const status = await send<GroupStatus>("GET", `/container-groups/${groupId}`, { key });
  expect(status.body.why).toMatchObject([
    { code: "no_agent_seen" },
    { code: "not_scaled", message: "SaladCloud gave no answer to go by: 403 with HTML" },
  ]);
});

describe("POST /scaling-rules/:id/evaluate", () => {
  test("a dry run tells and changes nothing; without it, it is done", async () => {
    await newRule(4, { min_replicas: 1 });
    const told = await evaluate("?dry_run=true");
    expect(told.body).toMatchObject({
      action: "scale_down",
      trigger: "person",
      wanted: 1,
      replicas_after: 1,
    });
    expect([(await group()).replicas, (await history()).body._count]).toEqual([4, 0]);
    expect((await evaluate()).body).toMatchObject({
      action: "scale_down",
      replicas_before: 4,
      replicas_after: 1,
    });
    expect((await group()).replicas).toBe(1);
    expect([told.body.dry_run, (await evaluate()).body.dry_run]).toEqual([true, false]);
    const nothing = await evaluate();
    expect(nothing.body).toMatchObject({ action: "none", error: null });
    expect((await history()).body._count).toBe(1);
  });

  test("of no rule: 404; a wrong dry_run: 400; without a key of the deployment's: 403, and the cron does nothing", async () => {
    await newRule(1);
    const wrong = await send("POST", `/scaling-rules/${groupId}/evaluate?dry_run=maybe`, { key });
    expect([wrong.status, wrong.body.field]).toEqual([400, "dry_run"]);
    // Not done for a slip of the pen.
    for (const slip of ["dry-run", "dryrun", "Dry_run"]) {
      const refused = await send("POST", `/scaling-rules/${groupId}/evaluate?${slip}=true`, { key });
      expect([refused.status, refused.body.field]).toEqual([400, slip]);
    }
    const body = await send("POST", `/scaling-rules/${groupId}/evaluate`, { key, body: { dry_run: true } });
    expect([body.status, body.body.message]).toEqual([400, expect.stringContaining("takes no body")]);
    expect((await history()).body._count).toBe(0);
    expect((await send("POST", "/scaling-rules/nobodys/evaluate", { key })).status).toBe(404);
    expect((await send("GET", "/scaling-rules/nobodys/events", { key })).status).toBe(404);
    const request = new Request(`https://api.test/scaling-rules/${groupId}/evaluate`, {
      method: "POST",
      headers: { "X-Kelpie-Key": key },
    });
    const keyless = { ...env, SALAD_API_KEY: "" };
    const answer = await createApp().fetch(request, keyless);
    expect([answer.status, ((await answer.json()) as ErrorBody).message]).toEqual([
      403,
      expect.stringContaining("SALAD_API_KEY"),
    ]);
    expect(await scale(keyless)).toEqual({ rules: 0, steps: 0, failed: 0, left: 0 });
  });
});

test("budget and turns outlive the isolate", async () => {
  const desk = deskOf(env.SALAD_DESK);
  expect(await desk.takeTurn("group", "one")).toBe(true);
  for (;;) if (!(await desk.take("look")).ok) break;
  await evictAllDurableObjects();
  expect(await desk.takeTurn("group", "another")).toBe(false);
  await desk.exhausted();
  await evictAllDurableObjects();
  expect(await desk.take("act")).toMatchObject({ ok: false });
  await desk.endTurn("group", "another");
  expect(await desk.takeTurn("group", "another")).toBe(false);
  await desk.endTurn("group", "one");
  expect(await desk.takeTurn("group", "another")).toBe(true);
});

describe("the statements", () => {
  async function planOf({ sql, params }: Statement): Promise<string[]> {
    const explain = prepare(env.DB, { sql: `EXPLAIN QUERY PLAN ${sql}`, params });
    return (await explain.all<{ detail: string }>()).results.map((row) => row.detail);
  }
  const rule = { user_id: "u", container_group_id: "g", updated: 1, scaled_up: null, scaled_down: null };
  const ruleKey = "sqlite_autoindex_scaling_rules_1";

  test("queues are counted in their indexes alone", async () => {
    const [first, last] = [{ user_id: "", container_group_id: "" }, rule];
    for (const statement of [readQueues(first, 9), readQueues(first, 9, last), readQueue("u", "g")]) {
      const plan = await planOf(statement);
      expect(plan[0]).toContain(ruleKey);
      const ofJobs = plan.filter((step) => /jobs/.test(step));
      expect(ofJobs).toHaveLength(6);
      for (const step of ofJobs)
        expect(step).toMatch(
          /^SEARCH jobs USING COVERING INDEX jobs_(queue|running) \(user_id=\? AND container_group_id=\?\)/,
        );
      expect(plan.filter((step) => step.includes("TEMP B-TREE"))).toEqual([]);
    }
  });

  test("ends are searched by their time, in one bounded walk", async () => {
    for (const statement of [readEndedLately(1), readEndedLatelyOf("u", "g", 1)]) {
      const plan = await planOf(statement);
      expect(plan).toContainEqual("SEARCH jobs USING INDEX jobs_ended (ended>?)");
      expect(
        plan.filter((step) => /\bSCAN (jobs|scaling_rules)/.test(step) && !step.includes(ruleKey)),
      ).toEqual([]);
    }
  });

  test("marks and the history search their index, and sort nothing", async () => {
    for (const statement of [beginStep(rule, "up", 1), revertStep(rule, "down", 1)]) {
      expect(await planOf(statement)).toEqual([
        `SEARCH scaling_rules USING INDEX ${ruleKey} (user_id=? AND container_group_id=?)`,
      ]);
    }
    const ofRule =
      /scaling_events USING (COVERING )?INDEX scaling_events_by_rule \(user_id=\? AND container_group_id=\?/;
    const page = { beforeSeq: 9, limit: 5 };
    const event = {
      userId: "u",
      containerGroupId: "g",
      atMs: 1,
      trigger: "cron",
      action: "stop",
      inputs: {},
    } as const;
    const rest = { wanted: 0, replicasBefore: 1, replicasAfter: 0, reason: "r", error: "e" };
    for (const statement of [listEvents("u", "g", page), ...recordEvent({ ...event, ...rest })]) {
      const plan = await planOf(statement);
      expect(plan.filter((step) => step.includes("TEMP B-TREE"))).toEqual([]);
      const steps = plan.filter((step) => /scaling_events/.test(step));
      expect(steps.length).toBeGreaterThan(0);
      for (const step of steps) expect(step).toMatch(ofRule);
    }
    expect((await planOf(purgeEvents(1, 9))).filter((step) => /events_at/.test(step))).toEqual([
      "SEARCH scaling_events USING COVERING INDEX scaling_events_at (at<?)",
    ]);
  });

  test("open holds: searched by their key; those without a rule walk a table of a few rows", async () => {
    const holdKey = "sqlite_autoindex_open_holds_1 (user_id=? AND container_group_id=?)";
    for (const statement of [readQueue("u", "g"), closeHold(rule, 1)]) {
      const steps = (await planOf(statement)).filter((step) => step.includes("open_holds"));
      expect(steps).toEqual([`SEARCH open_holds USING INDEX ${holdKey}`]);
    }
    expect((await planOf(openHold(rule, 1))).filter((step) => step.includes("scaling_rules"))).toEqual([
      `SEARCH scaling_rules USING INDEX ${ruleKey} (user_id=? AND container_group_id=?)`,
    ]);
    expect(await planOf(readHoldsWithoutRule(9))).toEqual([
      "SCAN h USING INDEX sqlite_autoindex_open_holds_1",
      "CORRELATED SCALAR SUBQUERY 1",
      `SEARCH r USING INDEX ${ruleKey} (user_id=? AND container_group_id=?)`,
    ]);
  });

  test("ended lately: within each rule's own threshold", async () => {
    await newRule(1, { idle_threshold_seconds: 60, paused: true });
    const ended = async (secondsAgo: number) => {
      const { body } = await send<Job>("POST", "/jobs", {
        key,
        body: submission({ container_group_id: groupId }),
      });
      const sql = "UPDATE jobs SET status = 'completed', completed = ?1 WHERE id = ?2";
      await env.DB.prepare(sql)
        .bind(Date.now() - secondsAgo * 1000, body.id)
        .run();
    };
    await ended(30);
    await ended(90);
    for (const statement of [readEndedLately(Date.now()), readEndedLatelyOf(userId, groupId, Date.now())]) {
      const { results } = await prepare(env.DB, statement).all<{ ended: number }>();
      expect(results).toMatchObject([{ container_group_id: groupId, ended: 1 }]);
    }
  });

  test("the history keeps the newest of each rule, and goes with time", async () => {
    await newRule(1, { paused: true });
    const event = (n: number) =>
      recordEvent({
        ...{ userId, containerGroupId: groupId, atMs: n, trigger: "cron", action: "stop", inputs: {} },
        ...{ wanted: 0, replicasBefore: 1, replicasAfter: 0, reason: `${n}`, error: null },
      });
    const statements = Array.from({ length: keptEvents + 5 }, (_, n) => event(n)).flat();
    await env.DB.batch(statements.map((statement) => prepare(env.DB, statement)));
    const all = await prepare(env.DB, listEvents(userId, groupId, { beforeSeq: 1e9, limit: 5_000 })).all<{
      reason: string;
    }>();
    expect([all.results.length, all.results.at(-1)?.reason]).toEqual([keptEvents, "5"]);
    // They are of 1970.
    expect(await purge(env)).toMatchObject({ scalingEvents: keptEvents });
    expect((await history()).body._count).toBe(0);
  });
});
