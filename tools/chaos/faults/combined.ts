/** Two faults at once, chosen because each hides the other from whoever should notice it. */
import type { Random } from "../../../test/simulation/world/random.ts";
import { drawAgentKilled } from "./agent-killed.ts";
import { drawApiKilled } from "./api-killed.ts";
import type { Fault } from "./blow.ts";
import { cutFor, drawCut } from "./cut.ts";
import { drawFrozen, frozenFor, zombieMs } from "./frozen.ts";

/** The zombie wakes up with the storage within reach and nobody to tell it that it is one: only its own clock can. */
export function drawDeafZombie(random: Random): Fault[] {
  const frozenMs = zombieMs(random);
  const cutMs = frozenMs + random.between(4_000, 10_000);
  return [frozenFor(frozenMs), cutFor(random.pick(["refused", "silent"] as const), cutMs)];
}

/** What the agent had said last, perhaps nobody knows any more. */
export const drawBothKilled = (random: Random): Fault[] => [drawApiKilled(random), drawAgentKilled(random)];

/** The API comes back late, and with a node whose lease it should doubt. */
export const drawFrozenInOutage = (random: Random): Fault[] => [drawApiKilled(random), drawFrozen(random)];

/** Reports and claims whose answers are lost by the API's death and by the wire. */
export const drawCutInOutage = (random: Random): Fault[] => [drawApiKilled(random), drawCut(random)];
