/**
 * Hints that something below a directory has changed. Only hints: they shorten the wait for the next scan, and nothing
 * depends on their coming. Directories are watched one by one, as the scans find them; what cannot be watched (the
 * kernel's limit, a directory just gone) is left to the scans.
 */
import { type FSWatcher, watch } from "node:fs";
import { basename } from "node:path";

/** inotify's watches are shared by everything on the node (8,192 on small ones). */
const watchesMax = 512;

export class WatchHints {
  readonly #watchers = new Map<string, FSWatcher>();
  readonly #onHint: () => void;

  constructor(onHint: () => void) {
    this.#onHint = onHint;
  }

  /** Watches these directories from now on, and no others. */
  follow(directories: string[]): void {
    const wanted = new Set(directories.slice(0, watchesMax));
    for (const [directory, watcher] of this.#watchers) {
      if (!wanted.has(directory)) this.#drop(directory, watcher);
    }
    for (const directory of wanted) {
      if (!this.#watchers.has(directory)) this.#watch(directory);
    }
  }

  close(): void {
    this.follow([]);
  }

  #watch(directory: string): void {
    let watcher: FSWatcher;
    try {
      watcher = watch(directory, { persistent: false });
    } catch {
      // The next scan finds what this watcher would have told of.
      return;
    }
    watcher.on("error", () => this.#drop(directory, watcher));
    watcher.on("change", (event, name) => {
      // Its own name: the directory itself is gone. This watcher is dead, though the directory may come back.
      if (event === "rename" && name === basename(directory)) this.#drop(directory, watcher);
      this.#onHint();
    });
    this.#watchers.set(directory, watcher);
  }

  #drop(directory: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.#watchers.get(directory) === watcher) this.#watchers.delete(directory);
  }
}
