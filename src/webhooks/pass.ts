/**
 * The cron's pass over what is due: in rounds, each fair to users and hosts, until nothing is due, the time is up or the tries are used. What
 * belongs to receivers that are down goes to the back of the queue, so that it is read once and hides nobody.
 */
import {
  type DueDelivery,
  type LeasedDelivery,
  leaseDeliveries,
  putOff,
  readDue,
} from "../db/webhooks/leases.ts";
import { Down } from "./down.ts";
import type { WebhookPorts } from "./ports.ts";
import { leaseMs, type Sent, sendLeased } from "./send.ts";
import { shareOut } from "./share.ts";

/** Rows of one read: 2 KB each at worst. */
const pageSize = 1_000;
/** The next pass begins after a minute. */
const passMs = 45_000;
const maxTries = 500;
/** Each reads a page: so much is moved out of the way in one pass, at most. */
const maxRounds = 25;
/** A Worker has six connections at a time, and D1 needs one. */
const atOnce = 5;
/** How long deliveries make way: to a receiver that answers, and to one that does not. */
const overMs = 60_000;
const downMs = 10 * 60_000;

export interface PassReport extends Sent {
  putOff: number;
  /** Nothing is due any more. */
  complete: boolean;
}

/** Rejects when D1 fails; the next pass goes on from there. */
export async function deliverDue(ports: WebhookPorts): Promise<PassReport> {
  const report: PassReport = {
    delivered: 0,
    failed: 0,
    abandoned: 0,
    untried: 0,
    putOff: 0,
    complete: false,
  };
  const startMs = ports.nowMs();
  const down = new Down();
  let tries = 0;
  for (let round = 0; round < maxRounds && ports.nowMs() - startMs < passMs && tries < maxTries; round++) {
    const nowMs = ports.nowMs();
    const [due] = (await ports.d1.batch([readDue(nowMs, pageSize)])) as unknown as [DueDelivery[]];
    if (due.length === 0) {
      report.complete = true;
      break;
    }
    const share = shareOut(due, down, maxTries - tries);
    // Only a full page hides others behind it.
    const over = due.length === pageSize ? share.over : [];
    const opId = ports.operationId();
    const [leased] = (await ports.d1.batch([
      leaseDeliveries(share.picked, opId, nowMs, nowMs + leaseMs),
      ...(share.down.length > 0 ? [putOff(share.down, nowMs, nowMs + downMs)] : []),
      ...(over.length > 0 ? [putOff(over, nowMs, nowMs + overMs)] : []),
    ])) as unknown as [LeasedDelivery[]];
    const place = new Map(share.picked.map((seq, at) => [seq, at]));
    leased.sort((one, other) => (place.get(one.seq) ?? 0) - (place.get(other.seq) ?? 0));
    const sent = await sendLeased(ports, leased, { opId, atOnce, down, untriedMs: downMs });
    tries += leased.length;
    for (const what of ["delivered", "failed", "abandoned", "untried"] as const) report[what] += sent[what];
    report.putOff += share.down.length + over.length;
  }
  return report;
}
