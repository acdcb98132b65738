/** The wire between an agent and the API is cut, in one of three ways; the agent, its command and the storage go on. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../test/simulation/world/random.ts";
import type { LinkState } from "../network/link.ts";
import { leaseSeconds } from "../settings.ts";
import { inSeconds, type NodeFault } from "./blow.ts";

const words: Record<Exclude<LinkState, "open">, string> = {
  refused: "is cut off from the API, connections are reset,",
  silent: "is cut off from the API, nothing passes,",
  deaf: "hears nothing from the API, which hears it,",
};

export function drawCut(random: Random): NodeFault {
  const how = random.pick(["refused", "silent", "silent", "deaf"] as const);
  const longer = random.chance(0.75);
  return cutFor(how, longer ? random.between(1.3, 2.2) * leaseSeconds * 1000 : random.between(1_000, 12_000));
}

export function cutFor(how: Exclude<LinkState, "open">, forMs: number): NodeFault {
  return {
    kind: "cut",
    strikes: "node",
    what: `${words[how]} for ${inSeconds(forMs)}`,
    async inject({ signal }, victim) {
      victim.setLink(how);
      await sleep(forMs, undefined, { signal });
      if (victim.isAlive) victim.setLink("open");
    },
  };
}
