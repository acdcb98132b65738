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

export class Memory {
  readonly #facts = new Map<string, Facts[]>();
  #grants: Granted[] = [];

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
      this.#remember(kindOf(path, object), { ...asked, ...object });
    }
    if (objectsOf(answered).length === 0) this.#remember(kindOf(path, {}), asked);
  }

  recall(path: string, random: Random): Facts | undefined {
    const known = this.#facts.get(kindOf(path, {})) ?? [];
    return known.length === 0
      ? undefined
      : known[known.length - 1 - Math.floor(random.next() ** 2 * known.length)];
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

  #remember(kind: string, facts: Facts): void {
    this.#facts.set(kind, [...(this.#facts.get(kind) ?? []), facts].slice(-kept));
  }
}

/** Jobs come from several routes; all else is told of by the routes of its own name. A held job is of more use than a listed one. */
function kindOf(path: string, object: Facts): string {
  if ("lease_token" in object || (path.startsWith("/jobs/{id}") && path !== "/jobs/{id}")) return "held job";
  if (path === "/leases/renew") return "held job";
  return path.split("/")[1] ?? "";
}

function objectsOf(value: unknown): Facts[] {
  if (Array.isArray(value)) return value.slice(0, kept).flatMap(objectsOf);
  if (typeof value !== "object" || value === null) return [];
  const object = value as Facts;
  const lists = Object.values(object).filter((inner) => Array.isArray(inner) && typeof inner[0] === "object");
  return lists.length > 0 && !("id" in object) ? lists.flatMap(objectsOf) : [object];
}
