import type { ScalingDecision, ScalingHistoryEvent, ScalingInputs } from "../../contract/index.ts";
import type { ScalingEventRecord } from "../../db/scaling/events.ts";
import type { Decision } from "../../scaling/decision.ts";
import { iso } from "../times.ts";

/** A decision as the wire has it. */
export function presentDecision(decision: Decision): ScalingDecision {
  return {
    at: iso(decision.atMs),
    trigger: decision.trigger,
    action: decision.action,
    inputs: decision.inputs,
    wanted: decision.wanted,
    replicas_before: decision.replicasBefore,
    replicas_after: decision.replicasAfter,
    reason: decision.reason,
    error: decision.error,
  };
}

export function presentEvent({ seq, at, inputs, ...event }: ScalingEventRecord): ScalingHistoryEvent {
  return { id: seq, at: iso(at), inputs: JSON.parse(inputs) as ScalingInputs, ...event };
}
