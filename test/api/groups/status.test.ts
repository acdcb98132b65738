/** Container groups as people see them. */
import { env } from "cloudflare:workers";
import { beforeAll, beforeEach, expect, test } from "vitest";
import type { GroupList, GroupStatus } from "../../../src/contract/index.ts";
import { countsOf, type GroupRecord } from "../../../src/db/groups/overview.ts";
import { adminKey, claim, newGroup, send, signUp, submit, tellerOf } from "../http/client.ts";
import { connect, lineUp, stubOf } from "../socket/agents.ts";

let users = 0;
let user: { id: string; key: string };
let other: { id: string; key: string };
beforeAll(async () => {
  other = await signUp("onlooker");
});
beforeEach(async () => {
  user = await signUp(`looker-${++users}`);
});

const look = (group: string, key = user.key, query = "") =>
  send<GroupStatus>("GET", `/container-groups/${group}${query}`, { key });
async function status(group: string): Promise<GroupStatus> {
  const answer = await look(group);
  expect(answer.status).toBe(200);
  return answer.body;
}
const codes = ({ why }: GroupStatus) => why.map(({ code }) => code);
const list = (query = "", key = user.key) => send<GroupList>("GET", `/container-groups${query}`, { key });
const tell = tellerOf(() => user.key);

test("from a job that waits to one that runs, with everything in between", async () => {
  const group = newGroup();
  const first = await submit(user.key, { container_group_id: group });
  await submit(user.key, { container_group_id: group });
  const waits = await status(group);
  expect(waits).toMatchObject({
    container_group_id: group,
    user_id: user.id,
    paused: null,
    jobs: { pending: 2, running: 0, completed: 0, failed: 0, canceled: 0 },
    at_least: [],
    oldest_pending: first.created,
    scaling: null,
    front: { job_id: first.id, created: first.created, priority: 0, attempt: 0 },
    delayed: 0,
    next_available: null,
    agents: [],
    bans: [],
  });
  expect(codes(waits)).toEqual(["no_agent_seen"]);

  await claim(user.key, group, "m1", "&claim_id=c1&instance_id=i1");
  const runs = await status(group);
  expect(runs.jobs).toMatchObject({ pending: 1, running: 1 });
  expect(codes(runs)).toEqual(["agents_busy"]);
  expect(runs.agents).toEqual([
    {
      machine_id: "m1",
      instance_id: "i1",
      seen: expect.any(String),
      state: "busy",
      sockets: 0,
      jobs: [{ job_id: first.id, attempt: 1 }],
    },
  ]);

  await send("POST", `/container-groups/${group}/pause`, { key: user.key });
  const paused = await status(group);
  expect(codes(paused)).toEqual(["paused", "agents_busy"]);
  expect(paused.why[0]).toMatchObject({ since: paused.paused });
});

test("an agent that found nothing waits; nothing is in a job's way then", async () => {
  const group = newGroup();
  expect(await claim(user.key, group, "m1")).toEqual([]);
  expect((await status(group)).agents).toMatchObject([
    { machine_id: "m1", instance_id: null, state: "waiting" },
  ]);
  await submit(user.key, { container_group_id: group });
  expect((await status(group)).why).toEqual([]);
});

test("a job that failed here waits for its delay, then for another machine", async () => {
  const group = newGroup();
  const { id } = await submit(user.key, { container_group_id: group, retry_delay_seconds: 600 });
  await claim(user.key, group, "m1");
  await tell(group, "m1", id, "failed");
  await claim(user.key, group, "m1");
  const delayed = await status(group);
  expect(delayed).toMatchObject({ front: null, delayed: 1, bans: [] });
  expect(codes(delayed)).toEqual(["retry_delay"]);
  expect(delayed.why[0]?.until).toBe(delayed.next_available);

  await env.DB.prepare("UPDATE jobs SET available_at = 1 WHERE id = ?1").bind(id).run();
  const banned = await status(group);
  expect(banned.front).toMatchObject({ job_id: id, attempt: 1 });
  expect(banned.bans).toEqual([{ job_id: id, machine_id: "m1", until: expect.any(String) }]);
  expect(banned.why).toMatchObject([{ code: "agents_banned", job_id: id, until: banned.bans[0]?.until }]);
  await claim(user.key, newGroup(), "m2");
  expect(codes(await status(group))).toEqual(["agents_banned"]);
});

test("a job with managed storage, and only an old worker there", async () => {
  const group = newGroup();
  const rule = { prefix: "out/", local_path: "/out", direction: "upload" };
  const { id } = await submit(user.key, { container_group_id: group, sync: { after: [rule] } });
  expect(await claim(user.key, group, "old")).toEqual([]);
  expect((await status(group)).why).toMatchObject([{ code: "agents_too_old", job_id: id }]);
  const agent = await connect(user.key, group, "new");
  expect(codes(await status(group))).toEqual([]);
  agent.close();
});

test("sockets: who waits, who shall claim no more", async () => {
  const group = newGroup();
  const agent = await connect(user.key, group, "m1", { instance_id: "i1", agent_id: "a" });
  const second = await connect(user.key, group, "m1", { instance_id: "i1", agent_id: "b" });
  expect((await status(group)).agents).toMatchObject([
    { machine_id: "m1", instance_id: "i1", state: "idle", sockets: 2 },
  ]);
  await lineUp(user.id, group, { m1: agent });
  expect((await status(group)).agents).toMatchObject([{ state: "waiting" }]);
  await stubOf(user.id, group).drain(["m1"]);
  await submit(user.key, { container_group_id: group });
  const draining = await status(group);
  expect(draining.agents).toMatchObject([{ state: "draining" }]);
  expect(codes(draining)).toEqual(["agents_draining"]);
  second.close();
});

test("ended jobs are counted; of a job with the highest priority it is said that it is next", async () => {
  const group = newGroup();
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) ids.push((await submit(user.key, { container_group_id: group })).id);
  await claim(user.key, group, "m1");
  await tell(group, "m1", ids[0] ?? "", "completed");
  await send("DELETE", `/jobs/${ids[1]}`, { key: user.key });
  const urgent = await submit(user.key, { container_group_id: group, priority: 5 });
  expect(await status(group)).toMatchObject({
    jobs: { pending: 2, running: 0, completed: 1, failed: 0, canceled: 1 },
    front: { job_id: urgent.id, priority: 5 },
  });
});

test("beyond the bound a count is told as a lower bound", () => {
  const record = { pending: 1_000, running: 1_001, completed: 0, failed: 0, canceled: 5_000 } as GroupRecord;
  expect(countsOf(record, 1_000)).toEqual({
    jobs: { pending: 1_000, running: 1_000, completed: 0, failed: 0, canceled: 1_000 },
    atLeast: ["running", "canceled"],
  });
});

test("counting ends at the bound", async () => {
  const group = newGroup();
  await env.DB.prepare(
    `WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1005)
     INSERT INTO jobs (id, user_id, container_group_id, status, command, arguments, environment, sync, max_failures,
       heartbeat_interval, created) SELECT ?2 || i, ?1, ?2, 'completed', 'c', '[]', '{}', '{}', 3, 30, 1 FROM n`,
  )
    .bind(user.id, group)
    .run();
  expect((await list()).body.groups).toMatchObject([{ jobs: { completed: 1_000 }, at_least: ["completed"] }]);
  expect(await status(group)).toMatchObject({ jobs: { completed: 1_005 }, at_least: [] });
});

test("the list: groups with jobs, a pause or a rule, each once, page by page", async () => {
  const { key, id } = user;
  for (const group of ["b", "d", "d", "f"]) await submit(key, { container_group_id: group });
  for (const group of ["a", "d"]) await send("POST", `/container-groups/${group}/pause`, { key });
  await env.DB.prepare(
    `INSERT INTO scaling_rules (user_id, container_group_id, org_name, project_name, container_group_name,
       min_replicas, max_replicas, idle_threshold_seconds, created, updated, paused)
     VALUES (?1, 'c', 'o', 'p', 'n', 1, 5, 60, 1, 2, 1), (?1, 'b', 'o', 'p', 'n', 0, 9, 60, 1, 2, 0)`,
  )
    .bind(id)
    .run();
  const all = await list();
  expect(all.body._count).toBe(5);
  expect(all.body.next_cursor).toBeNull();
  const seen = all.body.groups.map(({ container_group_id }) => container_group_id);
  expect(seen).toEqual(["a", "b", "c", "d", "f"]);
  const [a, b, c, d] = all.body.groups;
  expect(a).toMatchObject({ paused: expect.any(String), oldest_pending: null, scaling: null });
  expect(b).toMatchObject({
    paused: null,
    jobs: { pending: 1 },
    scaling: { min_replicas: 0, max_replicas: 9, paused: false, active: true, last_decision: null },
  });
  expect(c).toMatchObject({
    jobs: { pending: 0 },
    scaling: { idle_threshold_seconds: 60, updated: "1970-01-01T00:00:00.002Z", paused: true },
  });
  expect(d).toMatchObject({ paused: expect.any(String), jobs: { pending: 2 } });

  const pages: string[][] = [];
  let cursor: string | null = "";
  while (cursor !== null) {
    const page: { body: GroupList } = await list(`?limit=2${cursor === "" ? "" : `&cursor=${cursor}`}`);
    pages.push(page.body.groups.map(({ container_group_id }) => container_group_id));
    cursor = page.body.next_cursor;
  }
  expect(pages).toEqual([["a", "b"], ["c", "d"], ["f"]]);
});

test("nothing of others is seen: not listed, not found, not by naming them", async () => {
  const group = `own-${newGroup()}`;
  await submit(user.key, { container_group_id: group });
  await claim(user.key, group, "m1");
  expect((await look(group, other.key)).status).toBe(404);
  expect((await list("", other.key)).body).toEqual({ _count: 0, groups: [], next_cursor: null });
  expect((await look(group, other.key, `?user_id=${user.id}`)).status).toBe(403);
  expect((await list(`?user_id=${user.id}`, other.key)).status).toBe(403);
  expect((await look(group, adminKey)).status).toBe(404);
  expect((await look(group, adminKey, `?user_id=${user.id}`)).body).toMatchObject({ user_id: user.id });
  expect((await list(`?user_id=${user.id}`, adminKey)).body._count).toBe(1);
});

test("a group that nobody has used is a 404; one that an agent asks in is not", async () => {
  const group = newGroup();
  expect(await look(group)).toMatchObject({
    status: 404,
    body: { error: "not_found", message: "no such group" },
  });
  await claim(user.key, group, "m1");
  expect(await status(group)).toMatchObject({ jobs: { pending: 0 }, why: [], front: null });
});

test.each(["limit=0", "limit=101", "limit=x", "cursor=", "user_id=me"])(
  "%s is a 400 that names it",
  async (query) => {
    const answer = await send("GET", `/container-groups?${query}`, { key: user.key });
    expect(answer).toMatchObject({ status: 400, body: { field: query.split("=")[0] } });
  },
);
