/** A distribution that is known at some points: a share of all has at most that value. Straight lines in between. */
export type Quantiles = readonly (readonly [share: number, value: number])[];

/** `share` from 0 to 1; one that is drawn evenly draws from the distribution. Beyond the last point: its value. */
export function quantileAt(points: Quantiles, share: number): number {
  for (const [i, [upper, to]] of points.entries()) {
    const below = points[i - 1];
    if (!below || share > upper) continue;
    const [lower, from] = below;
    return from + ((share - lower) / (upper - lower)) * (to - from);
  }
  return points.at(-1)?.[1] ?? 0;
}
