/** The autoscaler: looks at rules, and takes a step where one is due. What it guarantees, and how: docs/autoscaling.md. */
import type { ScalingAction, ScalingTrigger } from "../contract/index.ts";
import { deleteRule } from "../db/scaling/rules.ts";
import { decideScaling, isAtRest } from "../domain/scaling.ts";
import type { GroupKey } from "../group/protocol.ts";
import { budgeted, budgetSpent } from "./budgeted-salad.ts";
import { type Decision, inputsOf, keep } from "./decision.ts";
import { keyOf, type Looked, look, type Queue, readQueueOf, why } from "./look.ts";
import { type PassReport, passOver } from "./pass.ts";
import type { SaladPort, ScalingPorts } from "./ports.ts";
import { reallocateBad } from "./reallocate.ts";
import { settle, settlingMs, stepDown, stepUp } from "./step.ts";

/** A decision waits no longer for requests of its own. */
const patienceMs = 30_000;
/** One after a submission: the platform ends what goes on for 30 s after the answer, and the minute's pass comes anyway. */
const afterAnswerMs = 8_000;
/** Jobs come in bursts: what is decided for the first shall count them all. */
const burstMs = 2_000;
/** After a step for a submission: a burst of some seconds is asked for whole, since nobody tells of its later jobs. */
const restOfBurstMs = 8_000;
/** Where the first look took longer, the platform might end the second one in the middle: the minute's pass makes it. */
const quickMs = 6_000;

export class Scaler {
  readonly #ports: ScalingPorts;

  constructor(ports: ScalingPorts) {
    this.#ports = ports;
  }

  /** All rules, once a minute. Rejects when D1 cannot be asked which there are. */
  async pass(): Promise<PassReport> {
    if (this.#ports.salad === null) return { rules: 0, steps: 0, failed: 0, left: 0 };
    return await passOver(this.#ports, (queue, untilMs) => this.#decide(queue, "cron", untilMs));
  }

  /**
   * Jobs were added to a queue that nobody works at. Only ever steps up; after a step it looks once more, some seconds later. Answers with the
   * first decision.
   */
  async submitted(key: GroupKey): Promise<Decision | null> {
    if (this.#ports.salad === null) return null;
    const { sleep, nowMs } = this.#ports;
    const startMs = nowMs();
    await sleep(burstMs);
    const first = await this.#lookAfterSubmission(key);
    const hasStepped = first !== null && first.action !== "none" && first.error === null;
    if (!hasStepped || nowMs() - startMs > quickMs) return first;
    await sleep(restOfBurstMs);
    await this.#lookAfterSubmission(key);
    return first;
  }

  async #lookAfterSubmission(key: GroupKey): Promise<Decision | null> {
    const { d1, nowMs } = this.#ports;
    const queue = await readQueueOf(d1, key, nowMs());
    if (queue === null || queue.rule.paused === 1) return null;
    return await this.#decide(queue, "submission", nowMs() + afterAnswerMs);
  }

  /** `dryRun`: tells what it would do, and does nothing. Null: there is no such rule. */
  async evaluate(key: GroupKey, dryRun: boolean): Promise<Decision | null> {
    const { d1, nowMs } = this.#ports;
    const queue = await readQueueOf(d1, key, nowMs());
    if (queue === null) return null;
    const untilMs = nowMs() + patienceMs;
    return dryRun ? await this.#propose(queue, untilMs) : await this.#decide(queue, "person", untilMs);
  }

  async #propose(queue: Queue, untilMs: number): Promise<Decision> {
    const key = keyOf(queue.rule);
    let looked = await look(this.#salad("look", untilMs), queue, this.#ports.nowMs());
    if (looked.kind === "seen" && isDownwards(looked.choice.step)) {
      const { agents } = await this.#ports.group(key).status(key);
      const busyNodes = new Set(
        agents.filter(({ jobs }) => jobs.length > 0).map(({ machineId }) => machineId),
      ).size;
      const facts = { ...looked.facts, busyNodes };
      looked = { ...looked, facts, choice: decideScaling(facts) };
    }
    return proposal(queue, looked, "person", this.#ports.nowMs());
  }

  async #decide(queue: Queue, trigger: ScalingTrigger, untilMs: number): Promise<Decision> {
    const { d1, nowMs, log } = this.#ports;
    const key = keyOf(queue.rule);
    const salad = this.#salad("look", untilMs);
    const looked = await look(salad, queue, nowMs());
    const proposed = proposal(queue, looked, trigger, nowMs());
    if (proposed.error !== null || looked.kind === "unknown") {
      await keep(d1, key, proposed);
      return proposed;
    }
    // Who submits a job wants no instance taken away.
    if (trigger === "submission" && isDownwards(proposed.action))
      return { ...proposed, action: "none", replicasAfter: null };
    const isSettling = (queue.rule.scaled_down ?? Number.NEGATIVE_INFINITY) > nowMs() - settlingMs;
    const hold = isSettling ? await this.#ports.group(key).grantHold(key) : null;
    if (looked.kind === "seen" && queue.rule.running > 0 && queue.rule.paused === 0) {
      await reallocateBad(this.#ports, salad, queue, trigger);
    }
    if (proposed.action === "none" && hold === null) return proposed;

    const decision = await this.#inTurn(queue, trigger, proposed, untilMs);
    if (decision.action !== "none" || decision.error !== null) {
      const { atMs: _, inputs, ...told } = decision;
      log({
        severity: decision.error === null ? "info" : "warning",
        event: "scaling_step",
        detail: JSON.stringify({ ...told, ...inputs }),
        group: key.containerGroupId,
      });
    }
    return decision;
  }

  /** The same again while nobody else decides: what was seen before may be over. */
  async #inTurn(
    { rule }: Queue,
    trigger: ScalingTrigger,
    proposed: Decision,
    untilMs: number,
  ): Promise<Decision> {
    const { d1, turns, nowMs, operationId } = this.#ports;
    const key = keyOf(rule);
    const name = JSON.stringify([rule.org_name, rule.project_name, rule.container_group_name]);
    const operation = operationId();
    const busy = { ...proposed, action: "none", replicasAfter: null } as const;
    if (!(await turns.takeTurn(name, operation))) {
      return { ...busy, reason: "another decision on this group is being made" };
    }
    try {
      const queue = await readQueueOf(d1, key, nowMs());
      if (queue === null) return { ...busy, reason: "the rule was removed" };
      const salad = this.#salad("act", untilMs);
      const looked = await look(salad, queue, nowMs());
      const current = proposal(queue, looked, trigger, nowMs());
      if (looked.kind === "gone") {
        await keep(d1, key, current, [deleteRule(key.userId, key.containerGroupId)]);
        return current;
      }
      if (looked.kind === "unknown") {
        await keep(d1, key, current);
        return current;
      }
      const group = this.#ports.group(key);
      const keepTurn = () => turns.takeTurn(name, operation);
      const standing = { ports: this.#ports, salad, group, operationId: operation, queue, keepTurn };
      const { choice, facts } = looked;
      const isDown = isDownwards(choice.step);
      if (choice.step === "none" || (isDown && trigger === "submission")) {
        await this.#settleOpen(standing, looked.group.status, looked.group.replicas);
        return { ...current, action: "none", replicasAfter: null };
      }
      const act = isDown ? stepDown : stepUp;
      const { beside, busyNodes, given, ...outcome } = await act({
        ...standing,
        salads: looked.group,
        facts,
        choice,
      });
      const decision: Decision = {
        ...current,
        ...outcome,
        inputs: { ...current.inputs, ...(busyNodes === undefined ? {} : { busy_nodes: busyNodes }) },
      };
      await keep(d1, key, decision, beside);
      if (given) await settle(standing, operation, given);
      // Those whom an earlier step was about to take may be kept now.
      if (!isDown && outcome.error === null && outcome.replicasAfter !== null) {
        await this.#settleOpen(standing, "running", outcome.replicasAfter);
      }
      return decision;
    } finally {
      await turns.endTurn(name, operation);
    }
  }

  /** An earlier step down whose outcome was not seen to its end. */
  async #settleOpen(standing: Parameters<typeof settle>[0], status: string, replicas: number): Promise<void> {
    const hold = await standing.group.grantHold(keyOf(standing.queue.rule));
    if (hold === null) return;
    await settle(standing, hold.operationId, { replicas: isAtRest(status) ? 0 : replicas });
  }

  #salad(what: "look" | "act", untilMs: number): SaladPort {
    const { salad } = this.#ports;
    if (salad === null) throw new Error("there is no key to ask SaladCloud with");
    return budgeted(salad, this.#ports, what, untilMs);
  }
}

const isDownwards = (action: ScalingAction) => action === "scale_down" || action === "stop";

/** What was seen, as a decision that has not been carried out. */
function proposal(queue: Queue, looked: Looked, trigger: ScalingTrigger, atMs: number): Decision {
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
      const { step, wanted, replicas, reason } = looked.choice;
      const replicasBefore = isAtRest(looked.facts.group.status) ? 0 : looked.group.replicas;
      const replicasAfter = step === "none" ? null : replicas;
      // Nothing that is asked of it would help, and somebody waits.
      const isStuck = looked.facts.group.status === "failed" && wanted > 0 && !looked.facts.rule.paused;
      return {
        ...base,
        action: step,
        wanted,
        replicasBefore,
        replicasAfter,
        reason,
        error: isStuck ? reason : null,
      };
    }
  }
}
