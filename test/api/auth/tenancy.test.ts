/**
 * Two organizations whose container groups have the same id. Every route of the app is tried by one of them, person and node, with all
 * that it could know of the other's: ids of jobs, leases with their tokens, upload ids, keys, tokens' ids. What the other has in D1 and in
 * the bucket stays as it is, to the byte, and no answer tells of it. A new route fails here until it has a case.
 */
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { ClaimedJob, Job, JobList, Token, TokenList, Upload } from "../../../src/contract/index.ts";
import { prepare } from "../../../src/db/prepare.ts";
import { insertRule } from "../../../src/db/scaling/rules.ts";
import { send, signUp, submission, submit } from "../http/client.ts";
import { connect, lineUp, waiting } from "../socket/agents.ts";
import { putFile } from "../storage/client.ts";
import { everyRoute, pathOf } from "./routes.ts";

/** In all that the victim has: an answer with it tells too much. */
const marker = "of-the-victim";
const group = "same-id-in-both";
const sha256 = "a".repeat(64);
const md5 = "b".repeat(32);

const rule = { container_group_id: group, min_replicas: 0, max_replicas: 3, idle_threshold_seconds: 60 };

let victim: { id: string; key: string };
let thief: { id: string; key: string };
let thiefNode: string;
/** What the thief has learned. */
const known = { id: "", pending: "", ended: "", upload: "", token: "", lease: {} as Record<string, unknown> };

const job = (fields: Record<string, unknown> = {}) => ({
  command: marker,
  container_group_id: group,
  heartbeat_interval: 3600,
  max_failures: 2,
  sync: { during: [{ prefix: "out/", local_path: "/out", direction: "upload" }] },
  ...fields,
});
const claimAs = async (key: string, machine: string) => {
  const path = `/work?machine_id=${machine}&container_group_id=${group}&claim_id=${crypto.randomUUID()}`;
  return (await send<ClaimedJob[]>("GET", path, { key })).body;
};
const nodeTokenOf = async (key: string, name?: string) => {
  const body = { role: "node", container_group_id: group, name };
  return (await send<Token>("POST", "/users/me/tokens", { key, body })).body;
};

beforeAll(async () => {
  victim = await signUp(marker);
  thief = await signUp("thief");
  thiefNode = (await nodeTokenOf(thief.key)).token;
  known.token = (await nodeTokenOf(victim.key, marker)).id;

  // One job has failed on m9, which is banned from it; one failed there too, and runs on m1 now; one waits.
  const ended = await submit(victim.key, job({ max_failures: 1 }));
  const banning = await submit(victim.key, job());
  for (const { id } of [ended, banning]) {
    const [claimed] = await claimAs(victim.key, "m9");
    expect(claimed?.id).toBe(id);
    const body = {
      machine_id: "m9",
      container_group_id: group,
      attempt: 1,
      lease_token: claimed?.lease_token,
    };
    expect((await send("POST", `/jobs/${id}/failed`, { key: victim.key, body })).status).toBe(202);
  }
  const [held] = await claimAs(victim.key, "m1");
  if (!held) throw new Error("nothing was claimed");
  known.id = held.id;
  known.ended = ended.id;
  known.lease = {
    machine_id: "m1",
    container_group_id: group,
    attempt: held.attempt,
    lease_token: held.lease_token,
  };
  // An attempt that is never acknowledged is over after 10 s, in the middle of what follows.
  const { attempt, lease_token, ...holder } = known.lease;
  const renewal = { ...holder, leases: [{ job_id: held.id, attempt, lease_token }] };
  expect((await send("POST", "/leases/renew", { key: victim.key, body: renewal })).status).toBe(200);
  known.pending = (await submit(victim.key, job())).id;

  const insert = insertRule({
    userId: victim.id,
    containerGroupId: group,
    orgName: marker,
    projectName: "default",
    containerGroupName: marker,
    minReplicas: rule.min_replicas,
    maxReplicas: rule.max_replicas,
    idleThresholdSeconds: rule.idle_threshold_seconds,
    jobsPerReplica: 1,
    scaleUpCooldown: 0,
    scaleDownCooldown: 0,
    // Else the look that follows the submissions writes into the history, in the middle of what follows.
    paused: true,
    created: 0,
  });
  await prepare(env.DB, insert).run();
  await putFile(victim.key, "secret", marker);
  const begun = await send<Upload>("POST", "/files/uploads", { key: victim.key, body: { key: "begun" } });
  known.upload = begun.body.upload_id;
});

/** All rows of the victim, in whichever tables there are, and all its objects. */
async function belongings(): Promise<unknown> {
  const tables = await env.DB.prepare(
    `SELECT m.name, MAX(c.name = 'user_id') AS byUser, MAX(c.name = 'job_id') AS byJob
     FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND m.name NOT LIKE '\\_%' ESCAPE '\\' GROUP BY m.name`,
  ).all<{ name: string; byUser: number; byJob: number }>();
  const rows: Record<string, unknown[]> = {};
  const read = async (name: string, where: string) => {
    const { results } = await env.DB.prepare(`SELECT * FROM ${name} WHERE ${where}`).bind(victim.id).all();
    rows[name] = results;
  };
  await read("users", "id = ?1");
  for (const { name, byUser, byJob } of tables.results) {
    if (byUser) await read(name, "user_id = ?1");
    else if (byJob) await read(name, "job_id IN (SELECT id FROM jobs WHERE user_id = ?1)");
  }
  const { objects } = await env.CHECKPOINTS.list();
  const own = objects.filter(({ key }) => key.includes(victim.id)).map(({ key, etag }) => [key, etag]);
  return { rows, own };
}

interface Try {
  /** Expected; several: the local R2 knows an upload of another key only as an internal error. */
  status: number | number[];
  query?: string;
  /** Instead of the id of the victim's running job. */
  id?: string;
  body?: unknown;
  headers?: Record<string, string>;
}

const underLease =
  (fields: Record<string, unknown> = {}) =>
  (): Try[] => [{ status: 404, body: { ...known.lease, ...fields } }];
const ofJob = (): Try[] => [known.id, known.pending, known.ended].map((id) => ({ status: 404, id }));
const forAdmin = (): Try[] => [{ status: 403, id: victim.id, body: {} }];
const upload = () => ({ key: "begun", upload_id: known.upload });
const inParts = { size: 1, parts: [{ part_number: 1, etag: "x" }] };

/** What a route is asked with; a list, since some have several ways. */
const cases: Record<string, () => Try[]> = {
  "GET /health": () => [{ status: 200 }],
  "GET /ready": () => [{ status: 200 }],
  "GET /openapi.json": () => [{ status: 200 }],
  "GET /storage/object": () => [{ status: 400, query: `?key=files/${victim.id}/secret` }],
  "PUT /storage/object": () => [{ status: 400, query: `?key=files/${victim.id}/secret`, body: "x" }],

  "POST /jobs": () => [
    { status: 202, body: submission({ container_group_id: group, user_id: victim.id, id: known.pending }) },
  ],
  "POST /jobs/batch": () => [{ status: 202, body: [submission({ container_group_id: group })] }],
  "GET /jobs": () => [
    { status: 200 },
    { status: 200, query: `?container_group_id=${group}&user_id=${victim.id}` },
  ],
  "GET /jobs/:id": ofJob,
  "DELETE /jobs/:id": ofJob,
  "GET /jobs/:id/attempts": ofJob,
  "GET /jobs/:id/checkpoints": ofJob,
  "GET /jobs/:id/logs": ofJob,
  "POST /jobs/:id/retry": ofJob,
  "DELETE /jobs/container-groups/:container_group_id": () => [{ status: 200 }],
  "DELETE /jobs": forAdmin,

  "GET /work": () => [
    { status: 200, query: `?machine_id=m1&container_group_id=${group}` },
    { status: 200, query: `?machine_id=m1&container_group_id=${group}&claim_id=1` },
  ],
  "GET /agents/me": () => [{ status: 200, query: `?machine_id=m1&container_group_id=${group}` }],
  "GET /agents/socket": () => [{ status: 426, query: `?machine_id=m1&container_group_id=${group}` }],
  "POST /leases/renew": () => {
    const { attempt, lease_token, ...holder } = known.lease;
    return [{ status: 200, body: { ...holder, leases: [{ job_id: known.id, attempt, lease_token }] } }];
  },
  "POST /jobs/:id/heartbeat": underLease(),
  "PUT /jobs/:id/logs/:stream": () => {
    const { lease_token, ...holder } = known.lease;
    const query = `?${new URLSearchParams({ ...(holder as Record<string, string>), offset: "0" })}`;
    return [{ status: 404, query, body: marker, headers: { "X-Kelpie-Lease": String(lease_token) } }];
  },
  "POST /jobs/:id/completed": () => [
    ...underLease()(),
    { status: 404, id: known.pending, body: { machine_id: "m1", container_group_id: group } },
  ],
  "POST /jobs/:id/failed": () => [
    ...underLease()(),
    { status: 404, id: known.pending, body: { machine_id: "m1", container_group_id: group } },
  ],
  "POST /jobs/:id/released": underLease(),
  "POST /jobs/:id/stalled": underLease(),
  "POST /jobs/:id/timed_out": underLease(),

  "POST /jobs/:id/checkpoints": underLease({
    prefix: "state/",
    base: null,
    generation: 1,
    manifest: { sha256, size: 1 },
  }),
  "POST /jobs/:id/checkpoints/head": underLease({ prefix: "state/" }),
  "POST /jobs/:id/checkpoints/doubt": underLease({
    prefix: "state/",
    head: { attempt: 1, generation: 1 },
    chunk: null,
    problem: "missing",
  }),
  "POST /jobs/:id/storage/grants": () =>
    [
      { kind: "get", key: "secret" },
      { kind: "put", area: "files", key: "secret", size: 1 },
      { kind: "put_chunk", generation: 1, sha256, md5, size: 1 },
    ].flatMap((request) => underLease({ requests: [request] })()),
  "POST /jobs/:id/storage/list": underLease({ prefix: "" }),
  "POST /jobs/:id/storage/delete": underLease({ keys: ["secret"] }),
  "POST /jobs/:id/storage/outputs": underLease({ files: [{ key: "secret", size: 1 }] }),
  "POST /jobs/:id/storage/uploads": underLease({ area: "files", key: "secret" }),
  "POST /jobs/:id/storage/uploads/complete": () => underLease({ area: "files", ...upload(), ...inParts })(),
  "POST /jobs/:id/storage/uploads/abort": () => underLease({ area: "files", ...upload() })(),

  "GET /files": () => [
    { status: 200 },
    { status: 400, query: `?prefix=../${victim.id}/` },
    { status: 200, query: `?prefix=${victim.id}/` },
  ],
  "DELETE /files": () => [{ status: 200, query: "?prefix=" }],
  "GET /files/:key{.+}": () => [{ status: 404 }],
  "PUT /files/:key{.+}": () => [{ status: 200, body: "mine" }],
  "DELETE /files/:key{.+}": () => [{ status: 200 }],
  "POST /files/urls": () => [{ status: 200, body: { method: "GET", key: "secret" } }],
  "POST /files/uploads": () => [{ status: 200, body: { key: "begun" } }],
  "POST /files/uploads/part-urls": () => [
    { status: 200, body: { ...upload(), parts: [{ part_number: 1, size: 1 }] } },
  ],
  "POST /files/uploads/complete": () => [{ status: [404, 503], body: { ...upload(), ...inParts } }],
  "POST /files/uploads/abort": () => [{ status: [200, 503], body: upload() }],

  "POST /scaling-rules": () => [
    // The deployment's own key does not reach the thief's organization.
    { status: [400, 403], body: { ...rule, org_name: marker, project_name: "default", user_id: victim.id } },
  ],
  "GET /scaling-rules": () => [{ status: 200 }, { status: 200, query: `?user_id=${victim.id}` }],
  "GET /scaling-rules/:id": () => [{ status: 404, id: group, query: `?user_id=${victim.id}` }],
  "PATCH /scaling-rules/:id": () => [{ status: 404, id: group, body: { min_replicas: 1 } }],
  "DELETE /scaling-rules/:id": () => [{ status: 404, id: group, query: `?user_id=${victim.id}` }],
  "GET /scaling-rules/:id/events": () => [{ status: 404, id: group, query: `?user_id=${victim.id}` }],
  "POST /scaling-rules/:id/evaluate": () => [{ status: 404, id: group, query: `?user_id=${victim.id}` }],
  "DELETE /scaling-rules": forAdmin,

  "GET /container-groups": () => [{ status: 200 }, { status: 403, query: `?user_id=${victim.id}` }],
  // Of its own group of that id the thief is told, which was purged or has its own jobs.
  "GET /container-groups/:id": () => [
    { status: [200, 404], id: group },
    { status: 403, id: group, query: `?user_id=${victim.id}` },
  ],
  "POST /container-groups/:id/pause": () => [
    { status: 200, id: group },
    { status: 403, id: group, query: `?user_id=${victim.id}` },
  ],
  "POST /container-groups/:id/resume": () => [
    { status: 200, id: group },
    { status: 403, id: group, query: `?user_id=${victim.id}` },
  ],

  "GET /deliveries": () => [{ status: 200 }, { status: 200, query: `?user_id=${victim.id}` }],
  "GET /jobs/:id/deliveries": ofJob,
  "GET /users/me/webhook-secret": () => [{ status: 200 }],
  "POST /users/me/webhook-secret": () => [{ status: [200, 201] }],

  "GET /users/me": () => [{ status: 200 }],
  "GET /users/me/tokens": () => [{ status: 200, query: `?user_id=${victim.id}` }],
  "POST /users/me/tokens": () => [{ status: 201, body: { org_name: marker, user_id: victim.id } }],
  "DELETE /users/me/tokens/:token_id": () => [{ status: 404 }],
  "POST /users": forAdmin,
  "DELETE /users": forAdmin,
  "POST /users/:id/token": forAdmin,
  "GET /users/:id/tokens": forAdmin,
  "DELETE /users/:id/tokens/:token_id": forAdmin,
};

const routes = everyRoute();

test("every route has a case here, and every case a route", () => {
  expect(Object.keys(cases).sort()).toEqual(routes.map(({ name }) => name).sort());
});

let warnings: { mockRestore(): void };
beforeAll(() => {
  warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
});
afterAll(() => {
  warnings.mockRestore();
});

test.each(routes)("$name", async ({ name, method, path, access }) => {
  const before = await belongings();
  // Agents' routes as a node of the thief's group of the same id, too.
  for (const key of access === "agents" ? [thief.key, thiefNode] : [thief.key]) {
    for (const { status, query = "", id = known.id, body, headers: more } of cases[name]?.() ?? []) {
      const values = {
        id,
        container_group_id: group,
        key: "secret",
        token_id: known.token,
        stream: "stdout",
      };
      const sent = method === "GET" || method === "DELETE" ? {} : { body: body ?? {} };
      const headers: Record<string, string> = { ...more };
      if (typeof body === "string") headers["Content-Length"] = String(body.length);
      const answer = await send(method, pathOf(path, values) + query, { key, headers, ...sent });
      const expected = [status].flat();
      expect([name, expected.includes(answer.status) ? expected : answer.status, answer.body]).toEqual([
        name,
        expected,
        answer.body,
      ]);
      const told = JSON.stringify(answer.body) ?? "";
      for (const secret of [marker, victim.id]) expect(told).not.toContain(secret);
    }
  }
  expect(await belongings()).toEqual(before);
});

describe("the two groups of one id", () => {
  test("belongings are what they should be: jobs, attempts, bans, a rule, a file", async () => {
    const { rows, own } = (await belongings()) as { rows: Record<string, unknown[]>; own: unknown[] };
    const names = ["users", "tokens", "jobs", "attempts", "bans", "scaling_rules"];
    expect([...names.map((name) => rows[name]?.length), own.length]).toEqual([1, 2, 3, 3, 2, 1, 1]);
  });

  test("hand out each its own jobs, and a ban in one is none in the other", async () => {
    await send("DELETE", `/jobs/container-groups/${group}`, { key: thief.key });
    expect(await claimAs(thief.key, "m2")).toEqual([]);
    const mine = await submit(thief.key, { container_group_id: group });
    // The victim's m9 is banned from its jobs there.
    expect((await claimAs(thiefNode, "m9")).map(({ id }) => id)).toEqual([mine.id]);
    const body = { machine_id: "m9", container_group_id: group };
    expect((await send("POST", `/jobs/${mine.id}/failed`, { key: thiefNode, body })).status).toBe(409);
    expect((await claimAs(victim.key, "m2")).length).toBe(1);
  });

  test("are counted and emptied apart", async () => {
    const before = (await send<JobList>("GET", `/jobs?container_group_id=${group}`, { key: victim.key }))
      .body;
    await submit(thief.key, { container_group_id: group });
    const path = `/jobs/container-groups/${group}`;
    const purged = await send<{ count: number }>("DELETE", path, { key: thief.key });
    // The one that was claimed above, and this one.
    expect(purged.body).toEqual({ count: 2 });
    const after = (await send<JobList>("GET", `/jobs?container_group_id=${group}`, { key: victim.key })).body;
    expect(after).toEqual(before);
    expect((await send<TokenList>("GET", "/users/me/tokens", { key: victim.key })).body._count).toBe(2);
  });

  test("wake each its own agents", async () => {
    const shared = "wakes-apart";
    const theirs = await connect(victim.key, shared, "m1");
    const ours = await connect(thief.key, shared, "m1");
    await lineUp(victim.id, shared, { m1: theirs });
    await lineUp(thief.id, shared, { m1: ours });
    await submit(thief.key, { container_group_id: shared });
    expect(await ours.next()).toEqual({ type: "wake" });
    await theirs.upToDate();
    expect(theirs.messages).toEqual([{ type: "resume" }]);
    expect(await waiting(victim.id, shared)).toEqual(["m1"]);
    for (const socket of [theirs, ours]) socket.close();
  });

  test("end each its own jobs: a cancel wakes nobody next door", async () => {
    const shared = "cancels-apart";
    const submitAs = (key: string) => submit(key, { container_group_id: shared });
    const [theirs, ours]: Job[] = [await submitAs(victim.key), await submitAs(thief.key)];
    const socket = await connect(victim.key, shared, "m1");
    for (const { key } of [victim, thief]) {
      await send("GET", `/work?machine_id=m1&container_group_id=${shared}&claim_id=1`, { key });
    }
    expect((await send("DELETE", `/jobs/${ours?.id}`, { key: thief.key })).status).toBe(202);
    await socket.upToDate();
    expect(socket.messages).toEqual([{ type: "resume" }]);
    expect((await send<Job>("GET", `/jobs/${theirs?.id}`, { key: victim.key })).body.status).toBe("running");
    socket.close();
  });
});
