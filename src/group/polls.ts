/** Who asked for work lately: in memory, a hint for lifting bans and for people. */

/** Longer than the longest pause between two polls of any agent. */
export const pollWindowMs = 150_000;
/** Agents remembered; a group has at most 500 replicas. */
const maxAgents = 2_000;

/** One that asks: a machine's instance, or all of a machine's that name none. */
export interface Poller {
  machineId: string;
  instanceId: string | null;
  lastMs: number;
  /** The last answer was that there is nothing. */
  foundNothing: boolean;
  /** It asks with a claim id, as our agent does. */
  hasClaimIds: boolean;
}

export class Polls {
  /** Before this nobody was watched: after a restart, silence proves nothing for a while. */
  readonly sinceMs: number;
  /** The one that polled last at the end. */
  readonly #pollers = new Map<string, Poller>();

  constructor(nowMs: number) {
    this.sinceMs = nowMs;
  }

  note(asked: { machineId: string; instanceId?: string; claimId?: string }, nowMs: number): Poller {
    const { machineId, instanceId = null, claimId } = asked;
    const name = JSON.stringify([machineId, instanceId]);
    this.#pollers.delete(name);
    const poller = {
      machineId,
      instanceId,
      lastMs: nowMs,
      foundNothing: false,
      hasClaimIds: claimId !== undefined,
    };
    this.#pollers.set(name, poller);
    if (this.#pollers.size > maxAgents) {
      const [oldest] = this.#pollers.keys();
      if (oldest !== undefined) this.#pollers.delete(oldest);
    }
    return poller;
  }

  /** Those that asked within the window. */
  recent(nowMs: number): Poller[] {
    return [...this.#pollers.values()].filter(({ lastMs }) => nowMs - lastMs <= pollWindowMs);
  }

  /** Whether anybody asked within the window. */
  any(nowMs: number): boolean {
    const last = [...this.#pollers.values()].at(-1);
    return last !== undefined && nowMs - last.lastMs <= pollWindowMs;
  }

  /** Whether every machine that polls has had the time to, in this life. */
  knowsAll(nowMs: number): boolean {
    return nowMs - this.sinceMs >= pollWindowMs;
  }

  /** The machines that polled within the window, as far as this life knows. */
  machines(nowMs: number): string[] {
    return [...new Set(this.recent(nowMs).map(({ machineId }) => machineId))];
  }
}
