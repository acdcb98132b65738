/**
 * D1 statements per operation: the bill, and the ceiling of what one database bears. Counted at the binding, through the
 * whole stack, object included. A number that grows fails here; one that shrinks may be written down.
 */
import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import type { ClaimedJob, Job } from "../../../src/contract/index.ts";
import {
  FakeSalad,
  mint,
  newOrganization,
  newSigner,
  nodeHeaders,
  saladHeaders,
  workPath,
} from "../auth/salad.ts";
import { send, signUp, submission, submit } from "../http/client.ts";

let statements = 0;

/** Counts what is run: each statement of a batch, and each that is run alone. */
function countStatements(): void {
  const database = Object.getPrototypeOf(env.DB) as D1Database;
  const batch = database.batch;
  database.batch = function counted<T>(this: D1Database, list: D1PreparedStatement[]) {
    statements += list.length;
    return batch.call(this, list) as Promise<D1Result<T>[]>;
  };
  const prepared = Object.getPrototypeOf(env.DB.prepare("SELECT 1")) as Record<string, unknown>;
  for (const name of ["all", "first", "run", "raw"]) {
    const original = prepared[name] as (...args: unknown[]) => unknown;
    prepared[name] = function counted(this: unknown, ...args: unknown[]) {
      statements++;
      return original.apply(this, args);
    };
  }
}

let user: { id: string; key: string };
beforeAll(async () => {
  countStatements();
  user = await signUp("counted");
  // The token is in the isolate's cache from here on.
  await submit(user.key, { container_group_id: "warm" });
});

async function cost(operation: () => Promise<{ status: number }>, status: number): Promise<number> {
  const before = statements;
  expect((await operation()).status).toBe(status);
  return statements - before;
}

const group = "counted";
const work = (n: number) => `/work?machine_id=m&container_group_id=${group}&claim_id=claim-${n}`;
const holderOf = (job: ClaimedJob) => ({
  machine_id: "m",
  container_group_id: group,
  attempt: job.attempt,
  lease_token: job.lease_token,
});

test("what each hot route costs", async () => {
  const { key } = user;
  const post = (path: string, body: unknown) => () => send("POST", path, { key, body });
  const job = submission({ container_group_id: group });
  const batch = Array.from({ length: 1000 }, () => job);
  const costs: Record<string, number> = {};

  costs.create = await cost(post("/jobs", job), 202);
  costs["create a batch of 1,000"] = await cost(post("/jobs/batch", batch), 202);
  const keyed = (idempotencyKey: string, path: string, body: unknown) => () =>
    send("POST", path, { key, body, headers: { "Idempotency-Key": idempotencyKey } });
  costs["create with a key"] = await cost(keyed("one", "/jobs", job), 202);
  costs["create with a key, repeated"] = await cost(keyed("one", "/jobs", job), 202);
  costs["create a batch with a key"] = await cost(keyed("many", "/jobs/batch", batch), 202);
  costs.pause = await cost(() => send("POST", "/container-groups/paused/pause", { key }), 200);
  costs.resume = await cost(() => send("POST", "/container-groups/paused/resume", { key }), 200);
  costs["look at a group"] = await cost(() => send("GET", `/container-groups/${group}`, { key }), 200);
  costs["list a page"] = await cost(() => send("GET", `/jobs?container_group_id=${group}`, { key }), 200);

  const claims: ClaimedJob[] = [];
  const claim = (n: number) => async () => {
    const answer = await send<ClaimedJob[]>("GET", work(n), { key });
    claims.push(...answer.body);
    return answer;
  };
  costs["claim that reads the page"] = await cost(claim(0), 200);
  costs.claim = await cost(claim(1), 200);
  costs["claim repeated"] = await cost(() => send("GET", work(1), { key }), 200);
  const [first, second] = claims;
  if (!first || !second) throw new Error("nothing was claimed");

  costs.heartbeat = await cost(post(`/jobs/${first.id}/heartbeat`, holderOf(first)), 200);
  const leases = [first, second].map(({ id, attempt, lease_token }) => ({
    job_id: id,
    attempt,
    lease_token,
  }));
  costs["renew two leases"] = await cost(
    post("/leases/renew", { machine_id: "m", container_group_id: group, leases }),
    200,
  );
  // Of managed storage: names and URLs cost nothing, but a key that an output may stand under is looked up.
  const storage = (what: string, fields: Record<string, unknown>) =>
    cost(post(`/jobs/${first.id}/storage/${what}`, { ...holderOf(first), ...fields }), 200);
  const digests = { sha256: "a".repeat(64), md5: "b".repeat(32) };
  const chunk = { kind: "put_chunk", generation: 1, size: 1, ...digests };
  const upload_id = `${crypto.randomUUID()}.${"0".repeat(16)}.id`;
  const writes = [
    { kind: "put", area: "files", key: "k", size: 1 },
    { kind: "part", area: "files", key: "k", upload_id, part_number: 1, size: 1 },
    chunk,
    { ...chunk, kind: "put_manifest" },
    { kind: "get_chunk", attempt: 1, generation: 1, sha256: digests.sha256 },
    { kind: "get_manifest", attempt: 1, generation: 1, sha256: digests.sha256 },
  ];
  const five = (request: unknown) => Array.from({ length: 5 }, () => request);
  costs["grants to write, and of chunks"] = await storage("grants", { requests: writes.flatMap(five) });
  const reads = ["a", "b", "c"].map((key) => ({ kind: "get", key }));
  costs["grants to read"] = await storage("grants", { requests: reads });
  costs["list of files"] = await storage("list", { prefix: "" });
  costs["delete of files"] = await storage("delete", { keys: ["a", "b"] });
  await env.CHECKPOINTS.put(`outputs/${user.id}/${first.id}/1/o`, "x");
  costs["outputs recorded"] = await storage("outputs", { files: [{ key: "o", size: 1 }] });
  costs["upload begun"] = await storage("uploads", { area: "files", key: "k" });
  costs.get = await cost(() => send<Job>("GET", `/jobs/${first.id}`, { key }), 200);
  costs.completed = await cost(post(`/jobs/${first.id}/completed`, holderOf(first)), 200);
  costs["completed repeated"] = await cost(post(`/jobs/${first.id}/completed`, holderOf(first)), 200);
  costs.failed = await cost(post(`/jobs/${second.id}/failed`, holderOf(second)), 202);
  costs["heartbeat of a lost lease"] = await cost(
    post(`/jobs/${second.id}/heartbeat`, holderOf(second)),
    200,
  );
  const third = await claim(2)();
  costs.released = await cost(post(`/jobs/${third.body[0]?.id}/released`, holderOf(claims[2] ?? first)), 200);
  costs.cancel = await cost(() => send("DELETE", `/jobs/${second.id}`, { key }), 202);

  expect(costs).toEqual({
    create: 1,
    "create a batch of 1,000": 1,
    "create with a key": 2,
    "create with a key, repeated": 4,
    "create a batch with a key": 2,
    pause: 1,
    resume: 2,
    "look at a group": 3,
    "list a page": 1,
    "claim that reads the page": 3,
    claim: 2,
    "claim repeated": 1,
    heartbeat: 0,
    "renew two leases": 0,
    "grants to write, and of chunks": 0,
    "grants to read": 1,
    "list of files": 1,
    "delete of files": 1,
    "outputs recorded": 1,
    "upload begun": 0,
    get: 1,
    completed: 2,
    "completed repeated": 1,
    failed: 3,
    "heartbeat of a lost lease": 1,
    released: 2,
    cancel: 4,
  });
});

test("the credentials of SaladCloud cost as little, once they are known", async () => {
  const salad = new FakeSalad();
  const organization = newOrganization();
  const signer = await newSigner("key");
  salad.keys = [signer.publicJwk];
  salad.reach.set(`good ${organization}/default`, []);
  const holder = { machine_id: "m1", container_group_id: "group" };
  const person = saladHeaders("good", organization);
  const { body: job } = await send<Job>("POST", "/jobs", {
    headers: person,
    body: submission({ container_group_id: "group" }),
  });
  const node = nodeHeaders(await mint(signer, { organization }));
  expect((await send("GET", workPath(), { headers: node })).status).toBe(200);
  const beat = (headers: Record<string, string>) =>
    cost(() => send("POST", `/jobs/${job.id}/heartbeat`, { headers, body: holder }), 200);

  const asked = [salad.questions.length, salad.keyFetches];
  expect([await beat(person), await beat(node)]).toEqual([0, 0]);
  // A node has a new token every few minutes: its signature is checked, and nobody asked.
  expect(await beat(nodeHeaders(await mint(signer, { organization, claims: { jti: "2" } })))).toBe(0);
  expect([salad.questions.length, salad.keyFetches]).toEqual(asked);
  salad.stop();
});
