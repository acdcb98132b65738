/** What a node is, beyond its name: a stranger's PC computes as fast as its cooling, its power limit and its owner let it, over a home line. */
import { type Quantiles, quantileAt } from "./quantiles.ts";

/** The line of a home computer, in Mbit/s. */
export interface Line {
  downMbps: number;
  upMbps: number;
}

export interface Hardware {
  /** Above 0, at most 1: work that takes a while at 1 takes while / speed here. 1 is that card at its best. */
  speed: number;
  line: Line;
}

/** Measured on SaladCloud: the slowest tenth, the median, the fastest tenth. */
export const slowLine: Line = { downMbps: 150, upMbps: 39 };
export const medianLine: Line = { downMbps: 659, upMbps: 281 };
export const fastLine: Line = { downMbps: 868, upMbps: 734 };
/** Each as likely as the next. */
export const measuredLines: readonly Line[] = [slowLine, medianLine, fastLine];

/** Where nobody asks for anything else: nothing is slow. */
export const usualHardware: Hardware = { speed: 1, line: medianLine };

/**
 * Of one and the same model of GPU. No measurement of home computers was found, and the recordings do not tell (a step there is a minute by the
 * clock). Measured in five data centres (arXiv 2208.11035): 8 % apart on average, 22 % at most, and outliers that take 1.5 times as long as the median.
 * Assumed: half of the nodes within 8 % of the best, nine in ten within 22 %, and the last tenth down to the outliers.
 */
const medianSpeed = 0.92;
const speeds: Quantiles = [
  [0, medianSpeed / 1.5],
  [0.1, 0.78],
  [0.5, medianSpeed],
  [1, 1],
];

export function speedAt(share: number): number {
  return quantileAt(speeds, share);
}
