/** What was seen, as a decision that has not been carried out. */
import type { ScalingAction, ScalingTrigger } from "../contract/index.ts";
import { replicasOf } from "../domain/scaling.ts";
import { budgetSpent } from "./budgeted-salad.ts";
import { type Decision, inputsOf } from "./decision.ts";
import { type Looked, type Queue, why } from "./look.ts";

export const isDownwards = (action: ScalingAction) => action === "scale_down" || action === "stop";

/** The decision, without what it would change. */
export const unchanged = (decision: Decision): Decision => ({
  ...decision,
  action: "none",
  replicasAfter: null,
});

export function proposal(queue: Queue, looked: Looked, trigger: ScalingTrigger, atMs: number): Decision {
  const nothing = { wanted: null, replicasBefore: null, replicasAfter: null, error: null };
  const base = { atMs, trigger, inputs: inputsOf(queue, looked), ...nothing };
  switch (looked.kind) {
    case "unknown": {
      const { refusal } = looked;
      if (refusal === budgetSpent)
        return { ...base, action: "none", reason: budgetSpent.detail, trouble: "untried" };
      const reason = "the group could not be looked at";
      const trouble = refusal.reason === "unavailable" ? ({ trouble: "unanswered" } as const) : {};
      return { ...base, action: "none", reason, error: why(refusal), ...trouble };
    }
    case "gone":
      return { ...base, action: "remove_rule", reason: looked.why };
    case "seen": {
      const { step, wanted, replicas, isShort, reason } = looked.choice;
      const replicasBefore = replicasOf(looked.group);
      const replicasAfter = step === "none" ? null : replicas;
      // Nothing that is asked of SaladCloud would help, and somebody waits.
      const { rule, group } = looked.facts;
      const stuck =
        step !== "none" || rule.paused
          ? null
          : group.status === "failed" && wanted > 0
            ? reason
            : isShort
              ? "the organization's quota leaves fewer replicas than the queue asks for; stopped groups use theirs up, too"
              : null;
      return {
        ...base,
        action: step,
        wanted,
        replicasBefore,
        replicasAfter,
        reason,
        error: stuck,
      };
    }
  }
}
