/** One direction of a line that carries so many bits a second, whoever sends over it. */

import { Transform, type TransformCallback } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** A clock to wait by. */
export interface LaneClock {
  nowMs(): number;
  /** Rejects once the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<unknown>;
}

const systemClock: LaneClock = {
  nowMs: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, undefined, { signal }),
};

/** Connections take turns after so much: a packet, so that a heartbeat does not wait for the whole of an upload. */
const packetBytes = 1_400;
/** Nobody waits for less, nor could by a timer; what is owed is waited for with what comes next. */
const leastWaitMs = 2;
/** What a connection holds back on either side of its wait. The rest stays with the sender. */
const heldBytes = 16 * 1024;

export class Lane {
  /** That have been sent. */
  bytes = 0;
  readonly #bytesPerMs: number;
  readonly #clock: LaneClock;
  /** When what was sent so far has arrived. */
  #freeAtMs = Number.NEGATIVE_INFINITY;

  constructor(bitsPerSecond: number, clock: LaneClock = systemClock) {
    if (!(bitsPerSecond > 0)) throw new RangeError(`a lane of ${bitsPerSecond} bit/s carries nothing`);
    this.#bytesPerMs = bitsPerSecond / 8_000;
    this.#clock = clock;
  }

  /** Sends so many bytes behind all that was sent before; returns in how many milliseconds they will have arrived. */
  send(bytes: number): number {
    const nowMs = this.#clock.nowMs();
    this.#freeAtMs = Math.max(this.#freeAtMs, nowMs) + bytes / this.#bytesPerMs;
    this.bytes += bytes;
    return this.#freeAtMs - nowMs;
  }

  /** A connection's way over it: what is written comes out when it has arrived. */
  way(): Transform {
    return new Way(this, this.#clock);
  }
}

class Way extends Transform {
  readonly #lane: Lane;
  readonly #clock: LaneClock;
  readonly #over = new AbortController();

  constructor(lane: Lane, clock: LaneClock) {
    super({ highWaterMark: heldBytes });
    this.#lane = lane;
    this.#clock = clock;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.#carry(chunk).then(
      () => done(),
      // Destroyed meanwhile: nobody waits for it any more.
      (error) => done(this.#over.signal.aborted ? null : error),
    );
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#over.abort();
    done(error);
  }

  async #carry(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += packetBytes) {
      const packet = chunk.subarray(at, at + packetBytes);
      const waitMs = this.#lane.send(packet.length);
      if (waitMs >= leastWaitMs) await this.#clock.sleep(waitMs, this.#over.signal);
      this.push(packet);
    }
  }
}
