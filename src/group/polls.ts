/** Machines that asked for work lately: in memory, a hint for lifting bans. */

/** Longer than the longest pause between two polls of any agent. */
export const pollWindowMs = 150_000;
/** Machines remembered; a group has at most 500 replicas. */
const maxMachines = 2_000;

export class Polls {
  /** Before this nobody was watched: after a restart, silence proves nothing for a while. */
  readonly #sinceMs: number;
  /** By machine id, the one that polled last at the end. */
  readonly #lastMs = new Map<string, number>();

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  note(machineId: string, nowMs: number): void {
    this.#lastMs.delete(machineId);
    this.#lastMs.set(machineId, nowMs);
    if (this.#lastMs.size > maxMachines) {
      const [oldest] = this.#lastMs.keys();
      if (oldest !== undefined) this.#lastMs.delete(oldest);
    }
  }

  /** All machines that poll; null while it is too early to know them all. */
  machines(nowMs: number): string[] | null {
    if (nowMs - this.#sinceMs < pollWindowMs) return null;
    return [...this.#lastMs]
      .filter(([, atMs]) => nowMs - atMs <= pollWindowMs)
      .map(([machineId]) => machineId);
  }
}
