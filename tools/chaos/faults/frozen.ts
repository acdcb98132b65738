/** A node stands still, agent and command, and wakes up: within its lease, or as a zombie whose job others have. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../test/simulation/world/random.ts";
import { leaseSeconds } from "../settings.ts";
import { inSeconds, type NodeFault } from "./blow.ts";

export const zombieMs = (random: Random) => random.between(1.3, 2) * leaseSeconds * 1000;

export function drawFrozen(random: Random): NodeFault {
  return frozenFor(random.chance(0.75) ? zombieMs(random) : random.between(2_000, 12_000));
}

export function frozenFor(forMs: number): NodeFault {
  return {
    kind: "frozen",
    strikes: "node",
    what: `agent and command are frozen for ${inSeconds(forMs)}`,
    async inject({ signal }, victim) {
      victim.freeze();
      await sleep(forMs, undefined, { signal });
      victim.thaw();
    },
  };
}
