/** A node's power is cut: SIGKILL to the agent and its command. Another node comes in its place. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../../test/simulation/world/random.ts";
import { inSeconds, type NodeFault } from "./blow.ts";

export function drawAgentKilled(random: Random): NodeFault {
  const replacedAfterMs = random.between(500, 6_000);
  return {
    kind: "agent killed",
    strikes: "node",
    what: `agent and command are killed, another node comes after ${inSeconds(replacedAfterMs)}`,
    async inject({ fleet, signal }, victim) {
      await victim.kill();
      await sleep(replacedAfterMs, undefined, { signal });
      await fleet.start();
    },
  };
}
