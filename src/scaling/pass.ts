/** One pass over all rules: several at a time, so that a slow one holds up no other, and none for longer than until the next pass. */
import {
  type EndedRecord,
  type QueueRecord,
  type RuleKey,
  readEndedLately,
  readQueues,
} from "../db/scaling/queues.ts";
import type { Decision } from "./decision.ts";
import type { Queue } from "./look.ts";
import type { ScalingPorts } from "./ports.ts";

const pageSize = 500;
/** The budget of requests ends far below: these are for a deployment that waits for its turn every few minutes. */
const maxPages = 4;
/** A Worker has six connections at a time. */
const lanes = 4;
/** No rule is begun later; the next pass begins after a minute. */
const passMs = 45_000;
/** So many in a row without an answer: it is Salad's API that is down, and each further rule would wait for it in vain. */
const deafAnswers = 6;

export interface PassReport {
  rules: number;
  /** Groups that were changed. */
  steps: number;
  failed: number;
  /** Not looked at for want of time or requests, or since Salad does not answer: first in one of the next passes. */
  left: number;
}

export async function passOver(
  ports: ScalingPorts,
  decide: (queue: Queue, untilMs: number) => Promise<Decision>,
): Promise<PassReport> {
  const { nowMs, log } = ports;
  const startMs = nowMs();
  const queues = await readAll(ports, startMs);
  const report: PassReport = { rules: queues.length, steps: 0, failed: 0, left: 0 };
  const waiting = inTurn(queues, startMs);
  let deaf = 0;
  const untilMs = startMs + passMs;
  const lane = async () => {
    for (;;) {
      if (deaf >= deafAnswers || nowMs() >= untilMs) return;
      const queue = waiting.shift();
      if (!queue) return;
      try {
        const { action, error, trouble } = await decide(queue, untilMs);
        if (error !== null) report.failed++;
        else if (trouble === "untried") report.left++;
        else if (action !== "none") report.steps++;
        // Whatever else Salad said, it said something.
        deaf = trouble === "unanswered" ? deaf + 1 : 0;
      } catch (failure) {
        report.failed++;
        const group = queue.rule.container_group_id;
        log({ severity: "error", event: "scaling_failed", detail: String(failure), group });
      }
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  report.left += waiting.length;
  if (report.failed > 0 || report.left > 0) {
    log({ severity: "warning", event: "scaling_pass", detail: JSON.stringify(report) });
  }
  return report;
}

async function readAll({ d1 }: ScalingPorts, startMs: number): Promise<Queue[]> {
  const queues: Queue[] = [];
  const ended = new Map<string, number>();
  const nameOf = ({ user_id, container_group_id }: RuleKey) => JSON.stringify([user_id, container_group_id]);
  let after: RuleKey = { user_id: "", container_group_id: "" };
  for (let page = 0; page < maxPages; page++) {
    const [rules, lately = []] = (await d1.batch([
      readQueues(after, pageSize),
      ...(page === 0 ? [readEndedLately(startMs)] : []),
    ])) as unknown as [QueueRecord[], EndedRecord[]?];
    for (const record of lately) ended.set(nameOf(record), record.ended);
    for (const rule of rules) queues.push({ rule, ended: ended.get(nameOf(rule)) ?? 0 });
    const last = rules.at(-1);
    if (rules.length < pageSize || last === undefined) break;
    after = last;
  }
  return queues;
}

/** Each minute begins elsewhere, so that where a pass does not get to its end, no rule is always the one left over. */
function inTurn(queues: Queue[], startMs: number): Queue[] {
  if (queues.length === 0) return [];
  // Far enough to be past what a pass gets done, and prime, so that it goes round.
  const from = (Math.floor(startMs / 60_000) * 149) % queues.length;
  return [...queues.slice(from), ...queues.slice(0, from)];
}
