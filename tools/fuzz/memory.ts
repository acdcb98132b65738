/** What earlier answers have told: ids, tokens, proofs of leases, signed URLs. Later requests use them, or nearly all would name nothing. */
import type { Random } from "../../test/simulation/world/random.ts";
import type { Operation } from "./document.ts";

export type Facts = Record<string, unknown>;

/** A thing, and the state that it should be in. */
export interface Known {
  facts: Facts;
  /** The route that last changed it, or told of it first. */
  state: string;
}

/** A permission that an answer held: the URL is used as it is. */
export interface Granted {
  method: string;
  url: URL;
  headers: Record<string, string>;
  /** The route that gave it, or that has accepted it before. */
  by: string;
  /** Of the thing that it was asked for. */
  state: string;
}

type Route = Pick<Operation, "method" | "path" | "route">;

/** The newest are the likeliest to be of use still. */
const kept = 60;
/** States of which so much less is hoped for are passed over. */
const tolerance = 0.15;

/** How the routes below that of an answer name the `id` in it: `token_id` of what `/users/{id}/tokens` lists. `id`, or nothing: as it is. */
export type MemberName = (path: string) => string | undefined;

/** By the document: the parameter that follows the path, or its plural. */
export function memberNameIn(paths: string[]): MemberName {
  return (path) => {
    for (const whole of [path, `${path}s`]) {
      const below = paths.find(
        (other) => other.startsWith(`${whole}/{`) && /^\{\w+\}$/.test(other.slice(whole.length + 1)),
      );
      if (below !== undefined) return below.slice(whole.length + 2, -1);
    }
    return undefined;
  };
}

export class Memory {
  readonly #known = new Map<string, Known[]>();
  readonly #memberName: MemberName;
  #grants: Granted[] = [];

  constructor(memberName: MemberName) {
    this.#memberName = memberName;
  }

  /**
   * What was asked and what was answered belong together. `before`: the state of what was asked about, which a GET leaves as it is.
   * Returns what is new.
   */
  learn(
    { method, path, route }: Route,
    asked: Facts,
    answered: unknown,
    before?: string,
  ): { known: Known[]; granted: Granted[] } {
    const state = method === "GET" && before !== undefined ? before : route;
    if (method !== "GET") this.#move(path, asked, route);
    const learned: { known: Known[]; granted: Granted[] } = { known: [], granted: [] };
    const objects = objectsOf(answered);
    for (const object of objects) {
      if (typeof object.url === "string" && typeof object.method === "string" && URL.canParse(object.url)) {
        const headers = (object.headers ?? {}) as Record<string, string>;
        const url = new URL(object.url);
        learned.granted.push({ method: object.method, url, headers, by: route, state: before ?? "" });
        continue;
      }
      const known = { facts: { ...asked, ...this.#named(path, asked, object) }, state };
      this.#remember(kindOf(path, object), known);
      learned.known.push(known);
    }
    if (objects.length === 0) {
      const known = { facts: asked, state };
      this.#remember(kindOf(path, {}), known);
      learned.known.push(known);
    }
    for (const grant of learned.granted) this.keepGrant(grant);
    return learned;
  }

  /**
   * Of what routes of this kind have told, something with as many of the wanted names as there is, in a state of which `hope` says
   * the most (Default: any); rather new than old.
   */
  recall(
    path: string,
    random: Random,
    wanted: string[] = [],
    hope: (state: string) => number = () => 0,
  ): Known | undefined {
    const known = this.#known.get(kindOf(path, {})) ?? [];
    const score = ({ facts }: Known) => wanted.filter((name) => facts[name] !== undefined).length;
    const best = Math.max(0, ...known.map(score));
    const fitting = known.filter((one) => score(one) === best);
    const most = Math.max(0, ...fitting.map(({ state }) => hope(state)));
    const hopeful = fitting.filter(({ state }) => hope(state) >= most - tolerance);
    return hopeful[hopeful.length - 1 - Math.floor(random.next() ** 2 * hopeful.length)];
  }

  /** The one of which `hope` says the most, of those the newest; it is to be kept again if it proves good. */
  takeGrant({ method, path }: Route, hope: (by: string) => number = () => 0): Granted | undefined {
    const fitting = this.#grants.filter((grant) => grant.method === method && grant.url.pathname === path);
    const most = Math.max(0, ...fitting.map(({ by }) => hope(by)));
    const taken = fitting.findLast(({ by }) => hope(by) === most);
    this.#grants = this.#grants.filter((grant) => grant !== taken);
    return taken;
  }

  keepGrant(grant: Granted): void {
    this.#grants = [...this.#grants, grant].slice(-kept);
  }

  forget(): void {
    this.#known.clear();
    this.#grants = [];
  }

  /** What was removed: it is of no use to any route. `asked`: values of the parameters of that path. */
  drop(path: string, asked: Facts): undefined {
    const kinds = path.includes("{") ? [...this.#known.keys()] : [kindOf(path, {})];
    for (const kind of kinds) {
      const known = this.#known.get(kind) ?? [];
      this.#known.set(
        kind,
        known.filter(({ facts }) => !isNamedBy(path, asked, facts)),
      );
    }
  }

  /** All that is known of the thing is in a new state. */
  #move(path: string, asked: Facts, state: string): void {
    if (!path.includes("{")) return;
    for (const known of [...this.#known.values()].flat())
      if (isNamedBy(path, asked, known.facts)) known.state = state;
  }

  /** A part's id is not that of the whole, which was asked for. */
  #named(path: string, asked: Facts, { id, ...object }: Facts): Facts {
    const name = this.#memberName(path) ?? "id";
    return id === undefined ? object : { ...object, ...(name === "id" ? {} : { id: asked.id }), [name]: id };
  }

  #remember(kind: string, known: Known): void {
    this.#known.set(kind, [...(this.#known.get(kind) ?? []), known].slice(-kept));
  }
}

function isNamedBy(path: string, asked: Facts, facts: Facts): boolean {
  const names = [...path.matchAll(/{(\w+)}/g)].map(([, name]) => name ?? "");
  return names.every((name) => (facts[name] ?? facts.container_group_id) === asked[name]);
}

export const heldJob = "held job";

/** Jobs come from several routes; all else is told of by the routes of its own name. A held job is of more use than a listed one. */
export function kindOf(path: string, object: Facts): string {
  if ("lease_token" in object || (path.startsWith("/jobs/{id}") && path !== "/jobs/{id}")) return heldJob;
  if (path === "/leases/renew") return heldJob;
  return path.split("/")[1] ?? "";
}

/** Bounded: a file that was written by a spoiled request may be JSON of any depth. */
function objectsOf(value: unknown, depth = 4): Facts[] {
  if (typeof value !== "object" || value === null || depth === 0) return [];
  if (Array.isArray(value)) return value.slice(0, kept).flatMap((inner) => objectsOf(inner, depth - 1));
  const object = value as Facts;
  const lists = Object.values(object).filter((inner) => Array.isArray(inner) && typeof inner[0] === "object");
  return lists.length > 0 && !("id" in object)
    ? lists.flatMap((list) => objectsOf(list, depth - 1))
    : [object];
}
