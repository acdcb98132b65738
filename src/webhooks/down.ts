/**
 * Who does not answer just now. By user and host: one user's slow address at a host that many share says nothing about the others'. A
 * user with many such hosts is left alone as a whole: else thousands of names for one dead machine would be a try each.
 */
import { hostOf } from "./target.ts";

const maxHostsOfUser = 4;

interface Addressed {
  user_id: string;
  url: string;
}

export class Down {
  readonly #hosts = new Map<string, Set<string>>();

  has({ user_id, url }: Addressed): boolean {
    const hosts = this.#hosts.get(user_id);
    return hosts !== undefined && (hosts.size >= maxHostsOfUser || hosts.has(hostOf(url)));
  }

  add({ user_id, url }: Addressed): void {
    const hosts = this.#hosts.get(user_id) ?? new Set();
    this.#hosts.set(user_id, hosts.add(hostOf(url)));
  }
}
