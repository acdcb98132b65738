/** One decision on a rule, and its place in the history. */
import type { ScalingInputs } from "../contract/index.ts";
import type { D1Port } from "../db/d1-port.ts";
import { type NewScalingEvent, recordEvent } from "../db/scaling/events.ts";
import type { QueueRecord } from "../db/scaling/queues.ts";
import type { Statement } from "../db/statement.ts";
import type { GroupKey } from "../group/protocol.ts";
import { keyOf, type Looked, type Queue } from "./look.ts";
import type { ScalingPorts } from "./ports.ts";

export interface Decision extends Omit<NewScalingEvent, keyof GroupKey> {
  /** Salad was asked and did not answer, or was not asked at all, for want of requests. Not part of the history. */
  trouble?: "unanswered" | "untried";
}

export function inputsOf({ rule, ended }: Queue, looked: Looked): ScalingInputs {
  const { pending, running, min_replicas, max_replicas, jobs_per_replica } = rule;
  const known = {
    ...{ pending, running, ended, min_replicas, max_replicas, jobs_per_replica },
    ...(rule.queue_paused === 1 ? { queue_paused: true } : {}),
  };
  if (looked.kind !== "seen") return known;
  const { group, facts } = looked;
  return {
    ...known,
    status: group.status,
    replicas: group.replicas,
    ...(group.instances === null ? {} : { instances: group.instances }),
    ...(facts.quotaReplicas === null ? {} : { quota_replicas: facts.quotaReplicas }),
    ...(facts.busyNodes === null ? {} : { busy_nodes: facts.busyNodes }),
  };
}

/** To the log, before it is written down: that may fail. Nothing of what changed nothing and failed at nothing. */
export function tell({ log }: ScalingPorts, key: GroupKey, decision: Decision): void {
  const { atMs: _, inputs, ...told } = decision;
  if (told.action === "none" && told.error === null) return;
  log({
    severity: told.error === null ? "info" : "warning",
    event: "scaling_step",
    detail: JSON.stringify({ ...told, ...inputs }),
    group: key.containerGroupId,
  });
}

/** Writes it down, in one transaction with what goes with it. What changed nothing and failed at nothing is not written. */
export async function keep(
  d1: D1Port,
  key: GroupKey,
  decision: Decision,
  beside: Statement[] = [],
): Promise<void> {
  const isNews = decision.action !== "none" || decision.error !== null;
  const statements = [...(isNews ? recordEvent({ ...key, ...decision }) : []), ...beside];
  if (statements.length > 0) await d1.batch(statements);
}

/** A failure stands no longer as the last word. Not at once: what fails every other minute would fill the history. */
const healedAfterMs = 5 * 60_000;

/** A look that went well and changed nothing: written only where the history ends with a failure of some minutes ago. */
export async function keepHealed(d1: D1Port, rule: QueueRecord, decision: Decision): Promise<void> {
  const { failed_at } = rule;
  if (failed_at === null || decision.error !== null || decision.atMs < failed_at + healedAfterMs) return;
  const reason = `goes well again: ${decision.reason}`;
  await d1.batch(recordEvent({ ...keyOf(rule), ...decision, reason }));
}
