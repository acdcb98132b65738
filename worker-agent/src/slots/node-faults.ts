/**
 * Pauses after faults that every slot would meet: the storage or this node could not run a job. Then no slot claims for a
 * while, longer with each claim that ends so. Several jobs that one outage ends count once: only a job claimed after
 * it was noticed says that it goes on.
 */
export class NodeFaults {
  #claims = 0;
  #faults = 0;
  #noticedAt = 0;

  /** A job was claimed; the number to tell of its end with. */
  claimed(): number {
    this.#claims += 1;
    return this.#claims;
  }

  /** That job met a fault of the node; how many in a row that makes. */
  met(claim: number): number {
    if (claim > this.#noticedAt || this.#faults === 0) this.#faults += 1;
    this.#noticedAt = this.#claims;
    return this.#faults;
  }

  /** A job met none. */
  passed(): void {
    this.#faults = 0;
  }
}
