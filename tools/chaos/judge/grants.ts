/** Who held what: the claims' answers as they passed on the wire. */
import type { EndReport, WireEvent } from "../logs/wire-log.ts";

export interface Grant {
  job: string;
  attempt: number;
  node: string;
  /** When the claim's answer passed; the API had decided a moment before. */
  grantedMs: number;
}

export class Grants {
  readonly #byJob = new Map<string, Grant[]>();
  /** An attempt that two nodes got. */
  readonly twice: Grant[] = [];

  constructor(wire: WireEvent[]) {
    for (const event of wire.toSorted((one, other) => one.headMs - other.headMs)) {
      if (event.kind !== "claim" || !event.granted || event.answeredMs === undefined) continue;
      const grant = { ...event.granted, node: event.node, grantedMs: event.answeredMs };
      const grants = this.#byJob.get(grant.job) ?? [];
      this.#byJob.set(grant.job, grants);
      const same = grants.find(({ attempt }) => attempt === grant.attempt);
      // A repeated claim gets what it got before.
      if (!same) grants.push(grant);
      else if (same.node !== grant.node) this.twice.push(grant);
      else same.grantedMs = Math.min(same.grantedMs, grant.grantedMs);
    }
  }

  /** In the order of their numbers. */
  of(job: string): Grant[] {
    return (this.#byJob.get(job) ?? []).toSorted((one, other) => one.attempt - other.attempt);
  }

  /** The first moment at which a later attempt of the job was out. */
  supersededMs({ job, attempt }: Pick<Grant, "job" | "attempt">): number | undefined {
    const later = this.of(job).filter((grant) => grant.attempt > attempt);
    return later.length > 0 ? Math.min(...later.map(({ grantedMs }) => grantedMs)) : undefined;
  }

  /**
   * The attempt in whose name a node acts on a job: the last one that it got until then. Where one node got a job twice,
   * its earlier attempt hides behind the later one: an agent claims only after it has let go.
   */
  actingAt(job: string, node: string, atMs: number): Grant | undefined {
    return this.of(job).findLast((grant) => grant.node === node && grant.grantedMs <= atMs);
  }

  /** What a node held at a moment: granted, not reported ended, not given to others. Several while earlier outputs go up. */
  heldAt(node: string, atMs: number, reports: EndReport[]): Grant[] {
    const all = [...this.#byJob.values()].flat();
    return all.filter((grant) => {
      if (grant.node !== node || grant.grantedMs > atMs) return false;
      if ((this.supersededMs(grant) ?? atMs + 1) <= atMs) return false;
      return !reports.some(
        ({ job, attempt, headMs }) => job === grant.job && attempt === grant.attempt && headMs <= atMs,
      );
    });
  }
}
