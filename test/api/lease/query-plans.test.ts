/** No statement of the lease protocol scans a table or sorts, except over the few values it was handed. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { AttemptEnd } from "../../../src/contract/index.ts";
import { readDelays } from "../../../src/db/groups/overview.ts";
import { countAvailable, pauseGroup, resumeGroup } from "../../../src/db/groups/pause.ts";
import { forgetKeys, readKey, takeKey } from "../../../src/db/jobs/idempotency.ts";
import { purgeEnded, readEnded } from "../../../src/db/jobs/retention.ts";
import { retryJob } from "../../../src/db/jobs/retry.ts";
import { liftOldestBan } from "../../../src/db/leases/bans.ts";
import { readBetterElsewhere } from "../../../src/db/leases/better-elsewhere.ts";
import { claimJob, readJob } from "../../../src/db/leases/claim.ts";
import { type EndWrite, endAttempt, readStanding } from "../../../src/db/leases/end.ts";
import { flushLeases, readRunningOf } from "../../../src/db/leases/flush.ts";
import { readFront, readHead, readHeadFor } from "../../../src/db/leases/head.ts";
import { purgePending, readRunningOfGroup } from "../../../src/db/leases/purge.ts";
import { readRunning, sweepStart } from "../../../src/db/leases/sweep.ts";
import type { Statement } from "../../../src/db/statement.ts";

const endWrite = (kind: AttemptEnd, attempt: number): EndWrite => ({
  opId: "o",
  kind,
  jobId: "j",
  attempt,
  nowMs: 1,
  machineId: "m",
  heartbeatMs: 1,
  numHeartbeats: 1,
  acknowledgedMs: 1,
  commandStartedMs: 1,
  diedEarly: true,
  banUntilMs: 1,
  exitCode: 1,
  signal: null,
  cause: "exit",
  progress: null,
  reason: null,
  bytesDownloaded: null,
  bytesUploaded: null,
  webhook: true,
});
const flushed = [
  {
    jobId: "j",
    attempt: 1,
    heartbeatMs: 1,
    numHeartbeats: 1,
    acknowledgedMs: null,
    commandStartedMs: 1,
    progress: { step: 1, total: null, message: null, at: 1 },
  },
];
const kinds = AttemptEnd.options;

const statements: [string, Statement[]][] = [
  [
    "claimJob",
    claimJob({
      opId: "o",
      jobId: "j",
      attempt: 1,
      machineId: "m",
      instanceId: null,
      nowMs: 1,
      webhook: true,
      node: { gpu_count: 8 },
    }),
  ],
  ["readJob", [readJob("j")]],
  ...kinds.map((kind): [string, Statement[]] => [`endAttempt ${kind}`, endAttempt(endWrite(kind, 1))]),
  ["endAttempt of an unclaimed job", endAttempt(endWrite("completed", 0))],
  ["liftOldestBan", [liftOldestBan("j", ["m"])]],
  ["retryJob", retryJob("u", "j", "o")],
  ["readStanding", [readStanding("j", "m", null)]],
  ["readBetterElsewhere", [readBetterElsewhere("m", [{ jobId: "j", attempt: 1 }])]],
  ["readHead", [readHead("u", "g", 1, 128)]],
  ["readHeadFor", [readHeadFor("u", "g", { id: "m", knowsManaged: false }, 1, 128)]],
  ["readFront", [readFront("u", "g", 1, 128)]],
  ["pauseGroup", [pauseGroup("u", "g", 1)]],
  ["resumeGroup", [resumeGroup("u", "g")]],
  ["countAvailable", [countAvailable("u", "g", 1, 10)]],
  ["readDelays", [readDelays("u", "g", 1, 10)]],
  ["takeKey", [takeKey({ userId: "u", keyHash: "k", requestHash: "r", jobIds: ["j"], nowMs: 1 })]],
  ["readKey", [readKey("u", "k")]],
  ["forgetKeys", [forgetKeys(1, 10)]],
  ["readEnded", [readEnded(1, 10)]],
  ["purgeEnded", purgeEnded(["j"], 1, 1)],
  ["flushLeases", flushLeases(flushed)],
  ["readRunningOf", [readRunningOf(["j"])]],
  ["purgePending", purgePending("u", "g", 1, 1000)],
  ["readRunningOfGroup", [readRunningOfGroup("u", "g", 1, 50)]],
  ["readRunning", [readRunning(sweepStart, 1000)]],
];

async function planOf({ sql, params }: Statement): Promise<string[]> {
  const { results } = await env.DB.prepare(`EXPLAIN QUERY PLAN ${sql}`)
    .bind(...params)
    .all<{ detail: string }>();
  return results.map((row) => row.detail);
}

test.each(statements)("%s searches an index and sorts nothing", async (_name, batch) => {
  for (const statement of batch) {
    const plan = await planOf(statement);
    // Not tables: the values of a json_each are what the statement was handed, a subquery's row is one, and
    // counting distinct machines of a streak sorts at most fifty.
    const scans = plan.filter(
      (step) => /\bSCAN\b/.test(step) && !/VIRTUAL TABLE|CONSTANT ROW|SCAN \(subquery/.test(step),
    );
    const sorts = plan.filter((step) => step.includes("TEMP B-TREE") && !step.includes("count(DISTINCT)"));
    expect(scans, statement.sql).toEqual([]);
    expect(sorts, statement.sql).toEqual([]);
  }
});

test("the head of the queue comes in order out of jobs_queue, however deep the queue", async () => {
  const [plan] = await planOf(readHead("u", "g", 1, 128));
  expect(plan).toContain("USING INDEX jobs_queue (user_id=? AND container_group_id=?)");
});

test("the sweep walks jobs_running by its cursor", async () => {
  const plan = await planOf(readRunning({ userId: "u", containerGroupId: "g", created: 1, seq: 1 }, 1000));
  expect(plan.join("; ")).toContain("jobs_running");
});
