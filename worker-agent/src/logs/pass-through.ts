/**
 * Hands what a command writes on to where the agent's own output goes: the container's log. The command never waits for that: when more
 * than some MiB or very many writes wait there, what comes is dropped, with a marker in its place.
 */
import type { Writable } from "node:stream";
import { marker } from "./marker.ts";

/** Waiting in this process. */
const waitingBytesMax = 4 * 1024 * 1024;
/** The same in writes: each costs some hundred bytes, and a command that writes byte by byte makes as many as bytes. */
const waitingWritesMax = 16_384;
const newline = 0x0a;

export class PassThrough {
  readonly #to: Writable;
  #dropped = 0;
  #waitingWrites = 0;
  #lastByte = newline;

  constructor(to: Writable) {
    this.#to = to;
  }

  write(bytes: Buffer): void {
    if (!this.#to.writable) return; // nobody reads it any more
    if (this.#to.writableLength > waitingBytesMax || this.#waitingWrites >= waitingWritesMax) {
      this.#dropped += bytes.length;
      return;
    }
    this.#tellDropped();
    this.#waitingWrites += 1;
    this.#to.write(bytes, () => {
      this.#waitingWrites -= 1;
    });
    this.#lastByte = bytes.at(-1) ?? this.#lastByte;
  }

  end(): void {
    if (this.#to.writable) this.#tellDropped();
  }

  #tellDropped(): void {
    if (this.#dropped === 0) return;
    this.#to.write(`${this.#lastByte === newline ? "" : "\n"}${marker(this.#dropped)}`);
    this.#dropped = 0;
  }
}
