/**
 * Whether this agent is the only one in its container: who asks for another node or another container takes them from all that run in this one
 * (recipes start eight agents on a node with eight GPUs).
 */
import { randomUUID } from "node:crypto";
import { type DirectoryLocks, PathBusy, type Release } from "../directory-locks.ts";

/** No directory of any machine: a name that all agents of one instance share, kept where their other locks are. */
const placeOf = (instance: string) => `/kelpie-instance/${encodeURIComponent(instance)}`;

export class Residents {
  readonly #locks: DirectoryLocks;
  readonly #place: string;

  /** `instance`: what tells this container from others that see the same processes. */
  constructor(locks: DirectoryLocks, instance: string) {
    this.#locks = locks;
    this.#place = placeOf(instance);
  }

  /** Makes this agent known to the others until released. */
  async enter(): Promise<Release> {
    try {
      return await this.#locks.take([`${this.#place}/${randomUUID()}`]);
    } catch (error) {
      // Another one is having the container taken away at this very moment.
      if (error instanceof PathBusy) return async () => undefined;
      throw error;
    }
  }

  /** Runs this if no other agent is here; none that starts meanwhile is let in. False: there is another. */
  async ifAlone(run: () => Promise<void>): Promise<boolean> {
    let release: Release;
    try {
      release = await this.#locks.take([this.#place]);
    } catch (error) {
      if (error instanceof PathBusy) return false;
      throw error;
    }
    try {
      await run();
      return true;
    } finally {
      await release();
    }
  }
}
