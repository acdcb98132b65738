/**
 * Who does not answer just now. By user: one user's slow address at a host that many share says nothing about the others'. An address
 * counts at its first failure, its host at the third, whatever the addresses (each job may have its own). A user with many failures is left alone
 * as a whole: else thousands of names for one dead machine would be a try each.
 */
import { hostOf } from "./target.ts";

const maxOfHost = 3;
const maxOfUser = 8;

interface Addressed {
  user_id: string;
  url: string;
}

export class Down {
  readonly #urls = new Set<string>();
  /** By user and host, and by user. */
  readonly #failures = new Map<string, number>();

  has({ user_id, url }: Addressed): boolean {
    return (
      this.#urls.has(named(user_id, url)) ||
      this.#count(named(user_id, "host", hostOf(url))) >= maxOfHost ||
      this.#count(named(user_id)) >= maxOfUser
    );
  }

  add({ user_id, url }: Addressed): void {
    this.#urls.add(named(user_id, url));
    for (const name of [named(user_id, "host", hostOf(url)), named(user_id)]) {
      this.#failures.set(name, this.#count(name) + 1);
    }
  }

  #count(name: string): number {
    return this.#failures.get(name) ?? 0;
  }
}

const named = (...parts: string[]) => JSON.stringify(parts);
