/** The API is killed with SIGKILL, in the middle of whatever it does, and comes back; the local storage goes with it. */
import type { Random } from "../../../test/simulation/world/random.ts";
import { type ApiFault, inSeconds } from "./blow.ts";

export function drawApiKilled(random: Random): ApiFault {
  // Its start takes 3 to 10 s more. Now and then the outage outlasts every lease.
  const downMs = random.chance(0.2) ? random.between(18_000, 25_000) : random.between(0, 6_000);
  return apiKilledFor(downMs);
}

export function apiKilledFor(downMs: number): ApiFault {
  return {
    kind: "API killed",
    strikes: "API",
    what: `the API is killed, and started again after ${inSeconds(downMs)}`,
    inject: ({ api }) => api.killAndRestart(downMs),
  };
}
