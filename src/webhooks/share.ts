/** Who is served in one round of the cron's pass, and who makes way. Pure. */
import type { DueDelivery } from "../db/webhooks/leases.ts";
import type { Down } from "./down.ts";
import { hostOf } from "./target.ts";

const perHost = 20;
const perUser = 40;
/** Of all; with five at a time and 10 s each, two minutes at worst. */
export const perRound = 60;

export interface Share {
  /** Each receiver's first before anybody's second. */
  picked: number[];
  /** For receivers that are down. */
  down: number[];
  /** Over somebody's share. */
  over: number[];
}

/** `due`: oldest first. `most`: tries that are left to the pass. */
export function shareOut(due: DueDelivery[], down: Down, most: number): Share {
  const share: Share = { picked: [], down: [], over: [] };
  const taken = new Map<string, number>();
  const turns: number[][] = [];
  for (const delivery of due) {
    if (down.has(delivery)) {
      share.down.push(delivery.seq);
      continue;
    }
    const user = JSON.stringify([delivery.user_id]);
    const receiver = JSON.stringify([delivery.user_id, hostOf(delivery.url)]);
    const [ofUser, ofReceiver] = [taken.get(user) ?? 0, taken.get(receiver) ?? 0];
    if (ofUser >= perUser || ofReceiver >= perHost) {
      share.over.push(delivery.seq);
      continue;
    }
    taken.set(user, ofUser + 1);
    taken.set(receiver, ofReceiver + 1);
    turns[ofUser] ??= [];
    turns[ofUser].push(delivery.seq);
  }
  share.picked = turns.flat().slice(0, Math.min(perRound, most));
  return share;
}
