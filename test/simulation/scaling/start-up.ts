/**
 * How long SaladCloud takes to bring an instance up, as its documentation has measured it (100 replicas of a 5.5 GB image): half of them run after
 * 10 minutes, 80 % after 20, 90 % after 40, all after about 80. Drawn along straight lines between these points; the first at 2 minutes is ours.
 */
import type { Pace } from "../../salad/pace.ts";
import { type Quantiles, quantileAt } from "../../salad/quantiles.ts";
import { minute } from "../scenario.ts";
import type { Random } from "../world/random.ts";

const minutes: Quantiles = [
  [0, 2],
  [0.5, 10],
  [0.8, 20],
  [0.9, 40],
  [1, 80],
];

/** Of the time until it runs. The rest is the image's download. */
const allocatingShare = 0.2;
const creatingShare = 0.05;

export function startUpMs(share: number): number {
  return quantileAt(minutes, share) * minute;
}

export function drawStartUp(random: Random): Pick<Pace, "allocatingMs" | "downloadingMs" | "creatingMs"> {
  const totalMs = startUpMs(random.next());
  const allocatingMs = Math.round(totalMs * allocatingShare);
  const creatingMs = Math.round(totalMs * creatingShare);
  return { allocatingMs, creatingMs, downloadingMs: Math.round(totalMs) - allocatingMs - creatingMs };
}
