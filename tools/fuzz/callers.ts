/**
 * Who asks: the admin, a user of an organization, and a node of that user's, each with what it was told. What one made, the other may
 * not find.
 */
import type { Random } from "../../test/simulation/world/random.ts";
import { call } from "./call.ts";
import type { Operation, Role } from "./document.ts";
import { type MemberName, Memory } from "./memory.ts";
import { place } from "./place.ts";

export interface Caller {
  role: Role;
  headers: Record<string, string>;
  memory: Memory;
  /** What it nearly always says: a node, that it is of its own group. */
  says: Record<string, readonly string[]>;
}

/** Of the tokens: longer than any run, and not for ever on a deployment that is not the fuzz's own. */
const tokenSeconds = 7 * 24 * 3600;
/** The group of which jobs are held: the node's, and no other one. */
export const heldGroup = "fuzz-held";
/** Of requests, those of a caller who may. The rest has to be refused. */
const rightfulShare = 0.92;

export class Callers {
  readonly #url: string;
  readonly #run: string;
  readonly #memberName: MemberName;
  readonly #admin: Caller;
  #own: { user: Caller; node: Caller; tokenIds: string[] } | undefined;
  #users = 0;

  constructor(url: string, adminKey: string, run: string, memberName: MemberName) {
    this.#url = url;
    this.#run = run;
    this.#memberName = memberName;
    this.#admin = this.#caller("admin", adminKey);
  }

  /** Throws before `renew` has made them. */
  of(role: Role): Caller {
    if (role === "admin") return this.#admin;
    if (!this.#own) throw new Error(`there is no ${role} yet`);
    return this.#own[role];
  }

  /** Those who can read lists. */
  get people(): Caller[] {
    return [this.#admin, this.of("user")];
  }

  /** Mostly one who may. */
  pick({ mayCall }: Operation, random: Random): Caller {
    return this.of(random.pick(random.chance(rightfulShare) ? mayCall : ["admin", "user", "node"]));
  }

  /** Who submits the jobs of the caller's queue. */
  submitterFor(caller: Caller): Caller {
    return caller.role === "node" ? this.of("user") : caller;
  }

  /** Whose memory is worthless after the caller has cleared all there is: the admin clears everybody's, a user its own. */
  clearedBy({ role }: Caller): Caller[] {
    return role === "admin" ? [...this.people, this.of("node")] : [this.of("user"), this.of("node")];
  }

  /** Whether the request, once accepted, has taken the user's or the node's credential away. */
  isEndOfUser({ method, path }: { method: string; path: string }): boolean {
    if (method !== "DELETE") return false;
    return path === "/users" || !!this.#own?.tokenIds.some((id) => path.endsWith(`/tokens/${id}`));
  }

  /** Another user with a token, and a node of it. Throws where the admin's key makes none. */
  async renew(): Promise<void> {
    const username = `fuzz-user-${this.#run}-${this.#users++}`;
    const { id } = await this.#make("/users", { username });
    const token = {
      org_name: place.organization,
      project_name: place.project,
      expires_seconds: tokenSeconds,
    };
    const user = await this.#make(`/users/${id}/token`, token);
    const asNode = { ...token, role: "node", container_group_id: heldGroup };
    const node = await this.#make(`/users/${id}/token`, asNode);
    this.#own = {
      user: this.#caller("user", String(user.token)),
      node: this.#caller("node", String(node.token), { container_group_id: [heldGroup] }),
      tokenIds: [String(user.id), String(node.id)],
    };
  }

  #caller(role: Role, key: string, says: Caller["says"] = {}): Caller {
    return { role, headers: { "X-Kelpie-Key": key }, memory: new Memory(this.#memberName), says };
  }

  async #make(path: string, body: unknown): Promise<Record<string, unknown>> {
    const { headers } = this.#admin;
    const answer = await call(this.#url, {
      method: "POST",
      path,
      query: [],
      headers,
      body: JSON.stringify(body),
    });
    if (answer.status !== 201)
      throw new Error(`POST ${path} with the admin's key answered ${answer.status}: ${answer.text}`);
    return JSON.parse(answer.text) as Record<string, unknown>;
  }
}
