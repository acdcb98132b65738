/** The one mapping of container groups to the wire. */
import type { GroupSummary, PendingReason, SeenAgent } from "../../contract/index.ts";
import { countsOf, type GroupRecord } from "../../db/groups/overview.ts";
import type { Reason } from "../../domain/why-pending.ts";
import type { AgentStatus, GroupKey } from "../../group/protocol.ts";
import { iso, isoOrNull } from "../times.ts";

/** `scales`: whether this deployment acts on rules. */
export function presentGroup(
  key: GroupKey,
  record: GroupRecord,
  { countLimit, scales }: { countLimit: number; scales: boolean },
): GroupSummary {
  const { jobs, atLeast } = countsOf(record, countLimit);
  return {
    container_group_id: key.containerGroupId,
    user_id: key.userId,
    paused: isoOrNull(record.paused),
    jobs,
    at_least: atLeast,
    oldest_pending: isoOrNull(record.oldest_pending),
    scaling: scalingOf(record, scales),
  };
}

function scalingOf(record: GroupRecord, scales: boolean): GroupSummary["scaling"] {
  const { min_replicas, max_replicas, idle_threshold_seconds, updated } = record;
  if (min_replicas === null || max_replicas === null || idle_threshold_seconds === null || updated === null) {
    return null;
  }
  return {
    ...{ min_replicas, max_replicas, idle_threshold_seconds },
    updated: iso(updated),
    paused: record.scaling_paused === 1,
    active: scales,
    last_decision: lastDecisionOf(record),
  };
}

type Scaling = NonNullable<GroupSummary["scaling"]>;

export function lastDecisionOf({ last_decision }: GroupRecord): Scaling["last_decision"] {
  if (last_decision === null) return null;
  const { at, ...last } = JSON.parse(last_decision) as Omit<NonNullable<Scaling["last_decision"]>, "at"> & {
    at: number;
  };
  return { at: iso(at), ...last };
}

export function presentAgent(agent: AgentStatus): SeenAgent {
  return {
    machine_id: agent.machineId,
    instance_id: agent.instanceId,
    seen: iso(agent.seenMs),
    state: agent.state,
    sockets: agent.sockets,
    jobs: agent.jobs.map(({ jobId, attempt }) => ({ job_id: jobId, attempt })),
  };
}

export function presentReason({ code, message, jobId, sinceMs, untilMs }: Reason): PendingReason {
  return {
    code,
    message,
    ...(jobId === undefined ? {} : { job_id: jobId }),
    ...(sinceMs === undefined ? {} : { since: iso(sinceMs) }),
    ...(untilMs === undefined ? {} : { until: iso(untilMs) }),
  };
}
