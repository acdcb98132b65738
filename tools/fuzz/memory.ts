/** What earlier answers have told: ids, tokens, proofs of leases, signed URLs. Later requests use them, or nearly all would name nothing. */
import type { Random } from "../../test/simulation/world/random.ts";

export type Facts = Record<string, unknown>;

/** A permission that an answer held: the URL is used as it is. */
export interface Granted {
  method: string;
  url: URL;
  headers: Record<string, string>;
}

/** The newest are the likeliest to be of use still. */
const kept = 60;

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
  readonly #facts = new Map<string, Facts[]>();
  readonly #memberName: MemberName;
  #grants: Granted[] = [];

  constructor(memberName: MemberName) {
    this.#memberName = memberName;
  }

  /** `path`: of the route that told. What was asked and what was answered belong together. */
  learn(path: string, asked: Facts, answered: unknown): void {
    for (const object of objectsOf(answered)) {
      if (typeof object.url === "string" && typeof object.method === "string" && URL.canParse(object.url)) {
        const headers = (object.headers ?? {}) as Record<string, string>;
        this.#grants = [...this.#grants, { method: object.method, url: new URL(object.url), headers }].slice(
          -kept,
        );
        continue;
      }
      this.#remember(kindOf(path, object), { ...asked, ...this.#named(path, asked, object) });
    }
    if (objectsOf(answered).length === 0) this.#remember(kindOf(path, {}), asked);
  }

  /** Of what routes of this kind have told, something with as many of the wanted names as there is; rather new than old. */
  recall(path: string, random: Random, wanted: string[] = []): Facts | undefined {
    const known = this.#facts.get(kindOf(path, {})) ?? [];
    const score = (facts: Facts) => wanted.filter((name) => facts[name] !== undefined).length;
    const best = Math.max(0, ...known.map(score));
    const fitting = known.filter((facts) => score(facts) === best);
    return fitting[fitting.length - 1 - Math.floor(random.next() ** 2 * fitting.length)];
  }

  /** One that was not recalled before: most are good once. */
  takeGrant(method: string, path: string): Granted | undefined {
    const index = this.#grants.findLastIndex(
      (grant) => grant.method === method && grant.url.pathname === path,
    );
    return index < 0 ? undefined : this.#grants.splice(index, 1)[0];
  }

  forget(): void {
    this.#facts.clear();
    this.#grants = [];
  }

  /** What was removed: it is of no use to any route. `asked`: values of the parameters of that path. */
  drop(path: string, asked: Facts): void {
    const names = [...path.matchAll(/{(\w+)}/g)].map(([, name]) => name ?? "");
    const isGone = (facts: Facts) =>
      names.every((name) => (facts[name] ?? facts.container_group_id) === asked[name]);
    const kind = kindOf(path, {});
    this.#facts.set(
      kind,
      (this.#facts.get(kind) ?? []).filter((facts) => !isGone(facts)),
    );
  }

  /** A part's id is not that of the whole, which was asked for. */
  #named(path: string, asked: Facts, { id, ...object }: Facts): Facts {
    const name = this.#memberName(path) ?? "id";
    return id === undefined ? object : { ...object, ...(name === "id" ? {} : { id: asked.id }), [name]: id };
  }

  #remember(kind: string, facts: Facts): void {
    this.#facts.set(kind, [...(this.#facts.get(kind) ?? []), facts].slice(-kept));
  }
}

/** Jobs come from several routes; all else is told of by the routes of its own name. A held job is of more use than a listed one. */
export function kindOf(path: string, object: Facts): string {
  if ("lease_token" in object || (path.startsWith("/jobs/{id}") && path !== "/jobs/{id}")) return "held job";
  if (path === "/leases/renew") return "held job";
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
