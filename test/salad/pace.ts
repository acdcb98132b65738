/** How long things take an instance on the simulated SaladCloud, in milliseconds. */
export interface Pace {
  allocatingMs: number;
  downloadingMs: number;
  creatingMs: number;
  /** How long an instance that is to go still runs. */
  stoppingMs: number;
  /** From when it runs until its machine vanishes without notice. */
  livesMs: number;
}

export const atOnce: Pace = {
  allocatingMs: 0,
  downloadingMs: 0,
  creatingMs: 0,
  stoppingMs: 0,
  livesMs: Number.POSITIVE_INFINITY,
};

/** One for all, or drawn anew for each instance. */
export type PaceSource = Partial<Pace> | (() => Partial<Pace>);
