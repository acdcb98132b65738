/**
 * What is kept of one stream on its way to the storage: bounded in rate, in memory and in all, masked, cut into parts. Nothing here ever
 * makes anybody wait. What is too much is dropped, with a marker in its place; after a gap it goes on at the beginning of a line, so that no
 * half of a secret is seen. The last of what was dropped is remembered: it is most likely to tell why a command has ended.
 */
import { limits } from "../../../src/contract/index.ts";
import { marker } from "./marker.ts";
import { Masker } from "./masker.ts";
import { appendPortion } from "./portions.ts";

export interface KeptBounds {
  bytesPerSecond: number;
  /** So much may come at once after a quieter time. */
  burstBytes: number;
  /** Waiting to be sent. */
  backlogBytes: number;
  /** In all. Beyond there is room for markers and the end. */
  totalBytes: number;
  /** After a gap it goes on once there is room for so much: fewer and longer gaps. */
  resumeBytes: number;
  /** Of what was dropped last, kept for the end. */
  endBytes: number;
}

export const keptBounds: KeptBounds = {
  bytesPerSecond: 64 * 1024,
  burstBytes: 1024 * 1024,
  backlogBytes: 2 * 1024 * 1024,
  totalBytes: limits.logBytes - 1024 * 1024,
  resumeBytes: 16 * 1024,
  endBytes: 64 * 1024,
};

const newline = 0x0a;

export class KeptStream {
  readonly #bounds: KeptBounds;
  readonly #masker: Masker;
  readonly #nowMs: () => number;
  #tokens: number;
  #refilledMs: number;
  #taken = 0;
  /** Bytes, and gaps of so many. */
  #pending: (Buffer | number)[] = [];
  #pendingBytes = 0;
  /** Masked, in parts of at most what one call takes. */
  #masked: Buffer[] = [];
  #maskedBytes = 0;
  #lastByte = newline;
  /** Dropped since the last byte that was taken; 0: none. */
  #gap = 0;
  #dropped: Buffer[] = [];
  #droppedBytes = 0;

  /** `nowMs`: of a clock that never goes back. */
  constructor(
    secrets: string[],
    bounds: KeptBounds = keptBounds,
    nowMs: () => number = () => performance.now(),
  ) {
    this.#bounds = bounds;
    this.#masker = new Masker(secrets);
    this.#nowMs = nowMs;
    this.#tokens = bounds.burstBytes;
    this.#refilledMs = nowMs();
  }

  /** Bytes that wait to be sent. */
  get waitingBytes(): number {
    return this.#pendingBytes + this.#maskedBytes;
  }

  /** The command has written this. */
  take(bytes: Buffer): void {
    const room = this.#room();
    let begin = 0;
    if (this.#gap > 0) {
      const line = room >= this.#bounds.resumeBytes ? nextLine(bytes) : -1;
      this.#drop(bytes.subarray(0, line < 0 ? bytes.length : line));
      if (line < 0) return;
      this.#pending.push(this.#gap);
      this.#gap = 0;
      this.#dropped = [];
      this.#droppedBytes = 0;
      begin = line;
    }
    const taken = bytes.subarray(begin, begin + room);
    appendPortion(this.#pending, taken);
    this.#pendingBytes += taken.length;
    this.#tokens -= taken.length;
    this.#taken += taken.length;
    if (begin + room < bytes.length) this.#drop(bytes.subarray(begin + room));
  }

  /** Nothing follows: what was dropped last comes after all. */
  end(): void {
    if (this.#gap > 0) {
      const dropped = Buffer.concat(this.#dropped);
      const kept = dropped.subarray(Math.max(0, dropped.length - this.#bounds.endBytes));
      // Unless it is all that was dropped it begins in the middle of a line.
      const last = kept.subarray(Math.max(0, nextLine(kept)));
      const isTorn = nextLine(kept) < 0;
      const gap = this.#gap - (isTorn ? 0 : last.length);
      if (gap > 0) this.#pending.push(gap);
      if (!isTorn) {
        this.#pending.push(last);
        this.#pendingBytes += last.length;
      }
      this.#gap = 0;
      this.#dropped = [];
      this.#droppedBytes = 0;
    }
    this.#mask(Number.POSITIVE_INFINITY);
    this.#show(this.#masker.end());
  }

  /** The next part to be sent, of at most what one call takes; undefined: there is none. It waits on until it is `sent`. */
  part(): Buffer | undefined {
    this.#mask(limits.logChunkBytes);
    if (this.#masked.length > 1) this.#masked = [Buffer.concat(this.#masked)];
    const part = this.#masked[0]?.subarray(0, limits.logChunkBytes);
    return part && part.length > 0 ? part : undefined;
  }

  /** It has arrived. */
  sent(bytes: number): void {
    this.#maskedBytes -= bytes;
    const rest = this.#masked[0]?.subarray(bytes);
    this.#masked = [...(rest && rest.length > 0 ? [rest] : []), ...this.#masked.slice(1)];
  }

  #room(): number {
    const nowMs = this.#nowMs();
    const { backlogBytes, burstBytes, bytesPerSecond, totalBytes } = this.#bounds;
    this.#tokens = Math.min(burstBytes, this.#tokens + ((nowMs - this.#refilledMs) / 1000) * bytesPerSecond);
    this.#refilledMs = nowMs;
    const room = Math.min(this.#tokens, backlogBytes - this.waitingBytes, totalBytes - this.#taken);
    return Math.max(0, Math.floor(room));
  }

  #drop(bytes: Buffer): void {
    this.#gap += bytes.length;
    appendPortion(this.#dropped, bytes);
    this.#droppedBytes += bytes.length;
    for (let first = this.#dropped[0]; first; first = this.#dropped[0]) {
      if (this.#droppedBytes - first.length < this.#bounds.endBytes) break;
      this.#dropped.shift();
      this.#droppedBytes -= first.length;
    }
  }

  /** Masks what is pending until so much waits masked. */
  #mask(untilBytes: number): void {
    while (this.#maskedBytes < untilBytes) {
      const next = this.#pending.shift();
      if (next === undefined) return;
      if (typeof next === "number") {
        this.#show(this.#masker.end());
        this.#show(Buffer.from(this.#lastByte === newline ? marker(next) : `\n${marker(next)}`));
      } else {
        this.#pendingBytes -= next.length;
        this.#show(this.#masker.push(next));
      }
    }
  }

  #show(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#masked.push(bytes);
    this.#maskedBytes += bytes.length;
    this.#lastByte = bytes.at(-1) ?? newline;
  }
}

/** Where the first line begins whose beginning is there; progress bars end theirs by a carriage return. -1: nowhere. */
function nextLine(bytes: Buffer): number {
  const at = bytes.findIndex((byte) => byte === newline || byte === 0x0d);
  return at < 0 ? -1 : at + 1;
}
