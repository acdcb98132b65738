/**
 * What the observer is told of a mirror's uploads: each begin once, and its end once. Jobs wait for the uploads that
 * they see going on, so a file that waits its turn counts as begun.
 */
import type { Entry } from "./mirror-entry.ts";
import type { TransferObserver } from "./ports.ts";

export class AnnouncedUploads {
  readonly #entries = new Set<Entry>();
  readonly #observer: TransferObserver;

  constructor(observer: TransferObserver) {
    this.#observer = observer;
  }

  began(entry: Entry): void {
    if (this.#entries.has(entry)) return;
    this.#entries.add(entry);
    this.#observer.began("upload", entry.path);
  }

  ended(entry: Entry, bytes: number): void {
    if (this.#entries.delete(entry)) this.#observer.ended("upload", entry.path, bytes);
  }

  /** Those that will not be uploaded after all. */
  drop(which: (entry: Entry) => boolean): void {
    for (const entry of this.#entries) if (which(entry)) this.ended(entry, 0);
  }
}
