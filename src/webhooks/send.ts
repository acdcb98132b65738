/**
 * Sends what has been leased and records what came of it. A receiver that is down is not asked again for now: what was leased for it
 * goes back untried, so that nobody's deliveries wait for it longer than one try.
 */
import { type LeasedDelivery, type Outcome, recordOutcomes } from "../db/webhooks/leases.ts";
import { type Answer, errorOf, fateOf, hostIsDown } from "../domain/webhook.ts";
import type { Down } from "./down.ts";
import type { WebhookPorts } from "./ports.ts";
import { requestOf } from "./request.ts";
import { problemOfTarget } from "./target.ts";

/**
 * How long a try owns its row. Longer than a round can last: rounds have at most 60 deliveries, five at a time, 10 s each; the
 * object's 20, two at a time.
 */
export const leaseMs = 180_000;
export interface Round {
  opId: string;
  atOnce: number;
  down: Down;
  untriedMs: number;
}

export interface Sent {
  delivered: number;
  failed: number;
  abandoned: number;
  untried: number;
}

/**
 * In the order given. `opId`: the operation that leased them. `down`: who is not to be asked; those found to be down are added. What is not
 * tried waits for `untriedMs`. Rejects when D1 fails: the leases lapse, and what was sent is sent again.
 */
export async function sendLeased(
  ports: WebhookPorts,
  deliveries: LeasedDelivery[],
  round: Round,
): Promise<Sent> {
  const outcomes: Outcome[] = [];
  const remaining = deliveries.values();
  const sender = async () => {
    for (const delivery of remaining) outcomes.push(await tryOne(ports, delivery, round));
  };
  await Promise.all(Array.from({ length: Math.min(round.atOnce, deliveries.length) }, sender));
  if (outcomes.length > 0) await ports.d1.batch([recordOutcomes(outcomes, round.opId)]);
  const delivered = outcomes.filter(({ deliveredMs }) => deliveredMs !== null).length;
  const abandoned = outcomes.filter(({ abandonedMs }) => abandonedMs !== null).length;
  const put = outcomes.filter(({ lastError, dueMs }) => lastError === null && dueMs !== null).length;
  return { delivered, abandoned, untried: put, failed: outcomes.length - delivered - abandoned - put };
}

async function tryOne(ports: WebhookPorts, delivery: LeasedDelivery, round: Round): Promise<Outcome> {
  if (round.down.has(delivery)) return untried(delivery, ports.nowMs() + round.untriedMs);
  const answer = await answerTo(ports, delivery);
  if (hostIsDown(answer)) round.down.add(delivery);
  const nowMs = ports.nowMs();
  const fate = fateOf(answer, { tries: delivery.tries, createdMs: delivery.created }, nowMs, ports.random());
  return {
    seq: delivery.seq,
    tries: delivery.tries,
    dueMs: fate.kind === "again" ? fate.dueMs : null,
    deliveredMs: fate.kind === "delivered" ? nowMs : null,
    abandonedMs: fate.kind === "abandoned" ? nowMs : null,
    lastStatus: answer.kind === "answered" ? answer.status : null,
    lastError: errorOf(answer),
  };
}

async function answerTo(ports: WebhookPorts, delivery: LeasedDelivery): Promise<Answer> {
  const problem = problemOfTarget(delivery.url, ports.privateAllowed);
  if (problem !== null) return { kind: "refused", problem };
  return ports.post(await requestOf(ports, delivery));
}

function untried(delivery: LeasedDelivery, dueMs: number): Outcome {
  return {
    seq: delivery.seq,
    tries: delivery.tries - 1,
    dueMs,
    deliveredMs: null,
    abandonedMs: null,
    lastStatus: null,
    lastError: null,
  };
}
