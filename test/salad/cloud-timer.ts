/** Lets a cloud do in real time what it does by itself: instances come up, stop and vanish when they are due, whoever looks. */
import type { Cloud } from "./cloud.ts";

/** Longer waits are taken in turns: a timer's delay is bounded. */
const longestMs = 60_000;

export class CloudTimer {
  readonly #cloud: Cloud;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(cloud: Cloud) {
    this.#cloud = cloud;
  }

  /** Brings everything up to now; after whatever may have changed something. */
  look(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#cloud.instances.reconcile();
    const nextMs = this.#cloud.instances.nextChangeMs();
    if (nextMs === null) return;
    const waitMs = Math.min(longestMs, Math.max(1, nextMs - this.#cloud.nowMs()));
    this.#timer = setTimeout(() => this.look(), waitMs).unref();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }
}
