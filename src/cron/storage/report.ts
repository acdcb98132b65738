/** What a pass of the storage sweep did. */
export interface StorageReport {
  /** Retired generations of which everything that nobody keeps is gone now. */
  generations: number;
  /** Dead attempts whose leftovers are gone. */
  attempts: number;
  /** Places of jobs that are gone. */
  places: number;
  /** Objects deleted, all told. */
  objects: number;
  /** Could not be done this time; the next pass tries again. */
  failed: number;
  /** Generations that wait for a kept manifest that cannot be read. */
  stuck: number;
}

export const emptyReport = (): StorageReport => ({
  generations: 0,
  attempts: 0,
  places: 0,
  objects: 0,
  failed: 0,
  stuck: 0,
});
