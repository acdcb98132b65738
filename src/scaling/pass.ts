/** One pass over all rules: several at a time, so that a slow one holds up no other, and none for longer than until the next pass. */
import { type HoldRecord, readHoldsWithoutRule } from "../db/scaling/holds.ts";
import { type EndedRecord, type QueueRecord, readEndedLately, readQueues } from "../db/scaling/queues.ts";
import type { RuleKey } from "../db/scaling/rules.ts";
import type { Decision } from "./decision.ts";
import type { Queue } from "./look.ts";
import type { ScalingPorts } from "./ports.ts";
import { Silence } from "./silence.ts";

/** Of one pass: far more than the requests of a minute suffice for. */
const mostRules = 500;
const mostHolds = 100;
/** A Worker has six connections at a time. */
const lanes = 4;
/** No rule is begun later; the next pass begins after a minute. */
const passMs = 45_000;

export interface PassReport {
  /** That were read: 500 at most, and the next ones in the next minute. */
  rules: number;
  /** Groups that were changed. */
  steps: number;
  failed: number;
  /** Not looked at for want of time or requests, or since Salad does not answer: first in the next pass. */
  left: number;
}

/** What a pass does; each begins no later than the pass ends, and waits for its requests no longer. */
export interface PassWork {
  decide(queue: Queue, untilMs: number): Promise<Decision>;
  settle(hold: HoldRecord, untilMs: number): Promise<Pick<Decision, "trouble">>;
}

export async function passOver(ports: ScalingPorts, work: PassWork): Promise<PassReport> {
  const { nowMs, log, rounds } = ports;
  const startMs = nowMs();
  const last = await rounds.lastRule();
  const { queues, holds, areAll } = await read(ports, last, startMs);
  const report: PassReport = { rules: queues.length, steps: 0, failed: 0, left: 0 };
  const untilMs = startMs + passMs;
  /** The next pass goes on after the last rule before which none was left over. */
  let begun = 0;
  let firstLeft = Number.POSITIVE_INFINITY;
  /** Left out since Salad does not answer for its organization: the next pass begins with it, if no other is left over. */
  let firstSilent = Number.POSITIVE_INFINITY;
  // Holds first: agents wait for them, and they are few.
  const waiting = [
    ...holds.map((hold) => ({
      group: hold.container_group_id,
      organization: hold.org_name,
      leave: () => {},
      begin: async () => ({ ...(await work.settle(hold, untilMs)), action: "none", error: null }),
    })),
    ...queues.map((queue, at) => ({
      group: queue.rule.container_group_id,
      organization: queue.rule.org_name,
      leave: () => {
        firstSilent = Math.min(firstSilent, at);
      },
      begin: async () => {
        begun = at + 1;
        const decision = await work.decide(queue, untilMs);
        if (decision.trouble === "untried") firstLeft = Math.min(firstLeft, at);
        return decision;
      },
    })),
  ];
  const silence = new Silence();
  const lane = async () => {
    for (;;) {
      if (silence.isEverywhere() || nowMs() >= untilMs) return;
      const next = waiting.shift();
      if (!next) return;
      const { organization } = next;
      if (silence.isOf(organization)) {
        report.left++;
        next.leave();
        continue;
      }
      try {
        const { action, error, trouble } = await next.begin();
        if (error !== null) report.failed++;
        else if (trouble === "untried") report.left++;
        else if (action !== "none") report.steps++;
        // Whatever else Salad said, it said something.
        if (trouble === "unanswered") silence.missed(organization);
        else silence.answered(organization);
      } catch (failure) {
        report.failed++;
        log({ severity: "error", event: "scaling_failed", detail: String(failure), group: next.group });
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  const isCutOff = waiting.length > 0 || firstLeft < Number.POSITIVE_INFINITY;
  report.left += waiting.length;
  const isWhole = areAll && report.left === 0;
  // An idle deployment writes nothing.
  if (!isWhole || last !== null) {
    const done = queues[Math.min(begun, isCutOff ? firstLeft : firstSilent) - 1]?.rule;
    await rounds.keepLastRule(isWhole ? null : done ? ruleKeyOf(done) : last);
  }
  if (report.failed > 0 || report.left > 0) {
    log({ severity: "warning", event: "scaling_pass", detail: JSON.stringify(report) });
  }
  return report;
}

/** Rules from where the last pass came to its end, and round to there again. */
async function read(
  { d1 }: ScalingPorts,
  last: RuleKey | null,
  startMs: number,
): Promise<{ queues: Queue[]; holds: HoldRecord[]; areAll: boolean }> {
  const first: RuleKey = { user_id: "", container_group_id: "" };
  const [following, lately, holds, preceding = []] = (await d1.batch([
    readQueues(last ?? first, mostRules),
    readEndedLately(startMs),
    readHoldsWithoutRule(mostHolds),
    ...(last === null ? [] : [readQueues(first, mostRules, last)]),
  ])) as unknown as [QueueRecord[], EndedRecord[], HoldRecord[], QueueRecord[]?];
  const ended = new Map(lately.map((record) => [nameOf(record), record.ended]));
  const rules = [...following, ...preceding].slice(0, mostRules);
  const queues = rules.map((rule) => ({ rule, ended: ended.get(nameOf(rule)) ?? 0 }));
  return { queues, holds, areAll: rules.length < mostRules };
}

const ruleKeyOf = ({ user_id, container_group_id }: RuleKey): RuleKey => ({ user_id, container_group_id });
const nameOf = (rule: RuleKey) => JSON.stringify([rule.user_id, rule.container_group_id]);
