/**
 * Which directories the jobs of this agent's slots use, so that none clears or fills another's. A job takes all of its
 * directories at once or none, so that no two wait for each other; those that wait are served in the order in which they came.
 * Other agents of the machine are the business of directory-locks.ts.
 */
import { contains } from "../directories.ts";
import { unlessAborted } from "../pause.ts";

/** One attempt in one slot. */
export interface DirectoryUser {
  jobId: string;
  slot: number;
}

/** A job that is in another one's way. */
export interface Occupant {
  jobId: string;
  /** The slot that runs it; undefined: it has ended, and its outputs still upload. */
  slot?: number;
  /** Its directory, and the one of the other job that overlaps it; real paths. */
  held: string;
  wanted: string;
}

/** Another slot's job is in the way: this one can run elsewhere, or here later. */
export class DirectoryOccupied extends Error {
  override readonly name = "DirectoryOccupied";
  constructor(jobId: string, { jobId: other, slot, held, wanted }: Occupant) {
    const why =
      slot === undefined ? "whose outputs still upload" : `which slot ${slot} of the same agent runs`;
    super(
      `job ${jobId} cannot run beside job ${other}, ${why}: its directory ${wanted} overlaps the other's ${held}`,
    );
  }
}

interface Hold {
  user: DirectoryUser;
  paths: string[];
  released: Promise<void>;
}

interface Conflict {
  hold: Hold;
  error: DirectoryOccupied;
}

export class SlotDirectories {
  readonly #holds = new Set<Hold>();

  /**
   * Holds all of these real paths until released. `onWait` is told once if a job of another slot is in the way.
   *
   * @throws DirectoryOccupied if it still is when `until` aborts.
   */
  async take(
    paths: string[],
    user: DirectoryUser,
    until: AbortSignal,
    onWait: (error: DirectoryOccupied) => void,
  ): Promise<() => void> {
    for (let told = false; ; told = true) {
      const conflict = this.#conflict(paths, user);
      if (!conflict) return this.#hold(paths, user);
      if (!told) onWait(conflict.error);
      await unlessAborted(conflict.hold.released, until);
      if (until.aborted && this.#conflict(paths, user)) throw conflict.error;
    }
  }

  /** Why this job must not touch this real path; undefined: no other slot's job uses it, or anything inside or around it. */
  occupied(path: string, user: DirectoryUser): DirectoryOccupied | undefined {
    return this.#conflict([path], user)?.error;
  }

  #hold(paths: string[], user: DirectoryUser): () => void {
    const released = Promise.withResolvers<void>();
    const hold = { user, paths, released: released.promise };
    this.#holds.add(hold);
    return () => {
      this.#holds.delete(hold);
      released.resolve();
    };
  }

  #conflict(paths: string[], user: DirectoryUser): Conflict | undefined {
    for (const hold of this.#holds) {
      // A slot runs one job at a time: what it holds is this very job's.
      if (hold.user.slot === user.slot) continue;
      for (const path of paths) {
        const held = hold.paths.find((other) => contains(path, other) || contains(other, path));
        if (held === undefined) continue;
        return { hold, error: new DirectoryOccupied(user.jobId, { ...hold.user, held, wanted: path }) };
      }
    }
    return undefined;
  }
}
