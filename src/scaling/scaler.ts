/** The autoscaler: looks at rules, and takes a step where one is due. What it guarantees, and how: docs/autoscaling.md. */
import type { ScalingTrigger } from "../contract/index.ts";
import { closeHold, type HoldRecord } from "../db/scaling/holds.ts";
import type { RuleKey } from "../db/scaling/rules.ts";
import type { RequestKind } from "../domain/request-budget.ts";
import { decideScaling } from "../domain/scaling.ts";
import type { GroupKey, HoldNow } from "../group/protocol.ts";
import { budgeted } from "./budgeted-salad.ts";
import { type Decision, keep, keepHealed } from "./decision.ts";
import { decideInTurn, mayExchange, settleWithoutRule } from "./in-turn.ts";
import { keyOf, look, type Queue, readQueueOf } from "./look.ts";
import { type PassReport, passOver } from "./pass.ts";
import type { SaladPort, ScalingPorts } from "./ports.ts";
import { isDownwards, proposal, unchanged } from "./proposal.ts";

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

  /** All rules, once a minute. Rejects when D1 or the desk cannot tell which are due. */
  async pass(): Promise<PassReport> {
    if (this.#ports.salad === null) return { rules: 0, steps: 0, failed: 0, left: 0 };
    return await passOver(this.#ports, {
      decide: (queue, untilMs) => this.#decide(queue, "cron", untilMs),
      settle: (hold, untilMs) => this.#settleWithoutRule(hold, untilMs),
    });
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
    const { d1, nowMs, submissions } = this.#ports;
    const queue = await readQueueOf(d1, key, nowMs());
    if (queue === null || queue.rule.paused === 1) return null;
    // Else one user with many groups could take all the requests that the others' looks need.
    if (submissions && !(await submissions.mayLookFor(key.userId))) return null;
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
    let looked = await look(this.#salad("ask", untilMs), queue, this.#ports.nowMs());
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
    const { d1, nowMs, group } = this.#ports;
    const key = keyOf(queue.rule);
    const looked = await look(this.#salad(trigger === "person" ? "ask" : "look", untilMs), queue, nowMs());
    const proposed = proposal(queue, looked, trigger, nowMs());
    if (proposed.error !== null) await keep(d1, key, proposed);
    if (looked.kind === "unknown") return proposed;
    // Who submits a job wants no instance taken away.
    if (trigger === "submission" && isDownwards(proposed.action)) return unchanged(proposed);
    const hold = await this.#openHold(queue.rule, queue.rule.hold_begun);
    const isRunning = looked.kind === "seen" && mayExchange(queue.rule, looked.group, trigger);
    const hasBad = isRunning && (await group(key).badMachines(key)).length > 0;
    if (proposed.action === "none" && hold === null && !hasBad) {
      await keepHealed(d1, queue.rule, proposed);
      return proposed;
    }

    const given = { rule: queue.rule, trigger };
    return await decideInTurn(this.#ports, this.#salad("act", untilMs), proposed, given);
  }

  async #settleWithoutRule(record: HoldRecord, untilMs: number): Promise<Pick<Decision, "trouble">> {
    const hold = await this.#openHold(record, record.begun);
    if (hold === null) return {};
    return await settleWithoutRule(this.#ports, this.#salad("act", untilMs), record, hold);
  }

  /** The hold on grants that D1 knows of; null: there is none, or it is over, which D1 is told. */
  async #openHold(rule: RuleKey, begunMs: number | null): Promise<HoldNow | null> {
    if (begunMs === null) return null;
    const key = keyOf(rule);
    const hold = await this.#ports.group(key).grantHold(key);
    if (hold === null) await this.#ports.d1.batch([closeHold(rule, begunMs)]);
    return hold;
  }

  #salad(what: RequestKind, untilMs: number): SaladPort {
    const { salad } = this.#ports;
    if (salad === null) throw new Error("there is no key to ask SaladCloud with");
    return budgeted(salad, this.#ports, what, untilMs);
  }
}
