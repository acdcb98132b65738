/** A step up, begun by a mark on the rule (docs/autoscaling.md), in a turn: nobody else decides on that group meanwhile. */
import { revertStep } from "../db/scaling/steps.ts";
import { isAtRest } from "../domain/scaling.ts";
import type { SaladRefusal } from "../salad/client.ts";
import { budgetSpent, mayBeMade } from "./budgeted-salad.ts";
import { placeOf, why } from "./look.ts";
import { begin, mend, type Outcome, overtaken, type Standing, untried } from "./step.ts";

/** More instances, or the first ones of a group that is stopped. */
export async function stepUp(standing: Standing): Promise<Outcome> {
  const { salad, queue, salads, choice } = standing;
  const { step, wanted, replicas, reason } = choice;
  const place = placeOf(queue.rule);
  const action = step === "start" ? "start" : "scale_up";
  const replicasBefore = step === "start" ? 0 : salads.replicas;
  const outcome = { action, wanted, replicasBefore, replicasAfter: replicas, reason, error: null } as const;
  const begun = await begin(standing, "up");
  if (begun === null) return overtaken(outcome);
  const revert = revertStep(queue.rule, "up", begun);
  // Another may have asked for more meanwhile: our number would take instances away, busy or not.
  if (!(await standing.keepTurn())) return { ...overtaken(outcome), beside: [revert] };
  const failed = (answer: SaladRefusal): Outcome =>
    answer === budgetSpent
      ? untried(outcome, [revert])
      : {
          ...outcome,
          replicasAfter: null,
          error: why(answer),
          isOpen: mayBeMade(answer),
          beside: mayBeMade(answer) ? [] : [revert],
        };

  const setReplicas = async () =>
    mend(standing, await salad.setReplicas(place, replicas), (now) => now.replicas === replicas);

  let late = false;
  if (salads.replicas !== replicas) {
    const set = await setReplicas();
    // Whether a stopped group takes a PATCH is not documented: then after its start.
    late = step === "start" && !set.ok && set.reason === "rejected" && set.status === 400;
    if (!set.ok && !late) return failed(set);
  }
  if (step === "start") {
    // Slow answers add up: somebody else may decide by now, who begins with a look.
    if (!(await standing.keepTurn())) return { ...overtaken(outcome), beside: [revert] };
    const started = await mend(standing, await salad.startGroup(place), (now) => !isAtRest(now.status));
    if (!started.ok) return failed(started);
    // Fewer are not asked for here: those who have come may have jobs by now. That is a step down, with all that it takes.
    if (late && replicas < salads.replicas) return { ...outcome, replicasAfter: salads.replicas, beside: [] };
    if (late) {
      const set = await setReplicas();
      if (!set.ok) {
        const told = { error: why(set), isOpen: mayBeMade(set) };
        return { ...outcome, ...told, replicasAfter: salads.replicas, beside: [] };
      }
    }
  }
  return { ...outcome, beside: [] };
}
