/** How long things take on the simulated SaladCloud, in milliseconds. */
export interface Pace {
  /** From a group's start until its image is stored: the group is `pending`. */
  preparingMs: number;
  allocatingMs: number;
  downloadingMs: number;
  creatingMs: number;
  /** How long an instance that is to go still runs. */
  stoppingMs: number;
  /** From when it runs until its machine vanishes without notice. */
  livesMs: number;
}

export const atOnce: Pace = {
  preparingMs: 0,
  allocatingMs: 0,
  downloadingMs: 0,
  creatingMs: 0,
  stoppingMs: 0,
  livesMs: Number.POSITIVE_INFINITY,
};

/** One for all, or drawn anew for each instance; of a drawn one `preparingMs` says nothing, since that is the group's. */
export type PaceSource = Partial<Pace> | (() => Partial<Pace>);
