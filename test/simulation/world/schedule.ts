/**
 * Virtual time: events in order, nothing in between. After an event that woke promises (a call of the engine, an answer
 * of D1) everything they set off runs to its end before the clock moves: the engine's steps take no time, its waits do.
 */
import { setImmediate } from "node:timers";

interface Event {
  atMs: number;
  order: number;
  run: () => void;
}

export class Schedule {
  nowMs: number;
  /** Set by whoever wakes promises. */
  touched = false;
  events = 0;
  readonly #heap: Event[] = [];
  #order = 0;

  constructor(startMs: number) {
    this.nowMs = startMs;
  }

  at(atMs: number, run: () => void): void {
    // Whole milliseconds, as the engine counts them.
    const event = { atMs: Math.max(Math.ceil(atMs), this.nowMs), order: this.#order++, run };
    const heap = this.#heap;
    let at = heap.push(event) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (!parent || !isBefore(event, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = event;
  }

  after(ms: number, run: () => void): void {
    this.at(this.nowMs + ms, run);
  }

  /** Runs what is due until then; `halted` is asked after each event, once the engine has come to rest. */
  async runUntil(untilMs: number, halted: () => boolean): Promise<void> {
    for (;;) {
      const next = this.#heap[0];
      if (!next || next.atMs > untilMs) break;
      this.#removeFirst();
      this.nowMs = next.atMs;
      this.events++;
      next.run();
      if (this.touched) {
        this.touched = false;
        await atRest();
      }
      if (halted()) return;
    }
    this.nowMs = Math.max(this.nowMs, untilMs);
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      let child = heap[below];
      if (!child) break;
      const right = heap[below + 1];
      if (right && isBefore(right, child)) {
        child = right;
        below++;
      }
      if (!isBefore(child, last)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = last;
  }
}

/** Ties keep the order in which they were planned. */
function isBefore(a: Event, b: Event): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}

/** All microtasks run before the next macrotask, however many they beget. */
function atRest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
