/** One who runs an attempt, as the judge may look at it: what it thinks of its lease, whether it could have renewed. */
export interface Holder {
  readonly name: string;
  readonly jobId: string;
  readonly attempt: number;
  /** Whether it would cause effects now, by its own clocks, if it got to run. */
  trusts(): boolean;
  /** Alive, reachable and trying since then, without a pause; null: not now. */
  wellSinceMs(): number | null;
}
