/** One container group: what waits, who is there, and why the one does not go to the other (docs/operations.md). */
import { createRoute } from "@hono/zod-openapi";
import { GroupQuery, GroupStatus } from "../../contract/index.ts";
import { type DelayRecord, type GroupRecord, readDelays, readGroup } from "../../db/groups/overview.ts";
import { type FrontRecord, readFront } from "../../db/leases/head.ts";
import { prepare } from "../../db/prepare.ts";
import { type FrontJob, type RuleSeen, whyPending } from "../../domain/why-pending.ts";
import { configOf } from "../../env.ts";
import { pollWindowMs } from "../../group/polls.ts";
import type { GroupNow } from "../../group/protocol.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { groupOf } from "../../middleware/group.ts";
import { answer, operation, refusals } from "../operation.ts";
import { iso, isoOrNull } from "../times.ts";
import { lastDecisionOf, presentAgent, presentGroup, presentReason } from "./present.ts";
import { GroupParams, whichGroup } from "./which.ts";

/** Jobs counted per status, and looked through for delays: 60,000 rows of an index at most. */
const countLimit = 10_000;
/** The jobs whose bans are told: as many as one page of the queue. */
const frontJobs = 128;
const mostBans = 1_000;

const route = createRoute({
  method: "get",
  path: "/container-groups/{id}",
  tags: ["Container groups"],
  access: "people" as const,
  summary: "One container group: its jobs and agents, and why pending jobs are not handed out",
  request: { params: GroupParams, query: GroupQuery },
  responses: { 200: answer(GroupStatus, "The group"), ...refusals(400, 403, 404) },
});

export const getContainerGroup = operation(route, async (c) => {
  const key = whichGroup(c, c.req.valid("param").id, c.req.valid("query").user_id);
  const { userId, containerGroupId } = key;
  const nowMs = Date.now();
  const statements = [
    readGroup(userId, containerGroupId, countLimit),
    readDelays(userId, containerGroupId, nowMs, countLimit),
    readFront(userId, containerGroupId, nowMs, frontJobs),
  ];
  const [[own, delays, front], now] = await Promise.all([
    c.env.DB.batch<GroupRecord & DelayRecord & FrontRecord>(
      statements.map((statement) => prepare(c.env.DB, statement)),
    ),
    groupOf(c, key).status(key),
  ]);
  const record = own?.results[0];
  const delay = delays?.results[0];
  if (!record || !delay) throw new Error("a group's counts were not answered");
  if (!isKnown(record, now)) throw new ApiError("not_found", { what: "group" });

  const queue = (front?.results ?? []).map((job) => ({ ...job, bans: bansOf(job) }));
  const [first] = queue;
  const scales = configOf(c.env).salad.apiKey !== null;
  const why = whyPending({
    pausedSinceMs: record.paused,
    delayed: delay.delayed,
    nextAvailableMs: delay.next_available,
    front: first ? { id: first.id, managed: first.managed === 1, bans: first.bans } : null,
    agents: now.agents,
    watchedMs: now.nowMs - now.watchedSinceMs,
    pollWindowMs,
    scaling: ruleOf(record, scales),
    nowMs,
  });
  const bans = queue.flatMap(({ id, bans }) =>
    bans.map(({ machineId, untilMs }) => ({ job_id: id, machine_id: machineId, until: iso(untilMs) })),
  );
  return c.json(
    {
      ...presentGroup(key, record, { countLimit, scales }),
      front: first
        ? { job_id: first.id, created: iso(first.created), priority: first.priority, attempt: first.attempt }
        : null,
      delayed: delay.delayed,
      next_available: isoOrNull(delay.next_available),
      why: why.map(presentReason),
      agents: now.agents.map(presentAgent),
      watched_since: iso(now.watchedSinceMs),
      bans: bans.slice(0, mostBans),
    },
    200,
  );
});

function ruleOf(record: GroupRecord, isActive: boolean): RuleSeen | null {
  if (record.min_replicas === null) return null;
  const last = lastDecisionOf(record);
  const lastError =
    last === null || last.error === null ? null : { atMs: Date.parse(last.at), error: last.error };
  return { isActive, isPaused: record.scaling_paused === 1, lastError };
}

/** A group is whatever somebody has used or set; an id that nobody has is none. */
function isKnown(record: GroupRecord, now: GroupNow): boolean {
  const { pending, running, completed, failed, canceled } = record;
  const used = pending + running + completed + failed + canceled > 0 || now.agents.length > 0;
  return used || record.paused !== null || record.min_replicas !== null;
}

function bansOf(job: FrontRecord): FrontJob["bans"][number][] {
  const bans = JSON.parse(job.bans) as [string, number][];
  return bans.map(([machineId, untilMs]) => ({ machineId, untilMs }));
}
