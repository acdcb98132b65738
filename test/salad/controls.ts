/**
 * What a test may do to the simulated SaladCloud. The same calls work on the object itself and, over HTTP, from where there is no Node
 * (tests on workerd) or no test at all (a person with curl): `POST /control/<name>` with the argument as JSON.
 */

export interface Controls {
  /** An organization with its projects, and keys that reach all of it. */
  addOrganization(given: NewOrganization): Made<{ id: string }>;
  /** A key that reaches only the given projects (all of an organization where none are named). */
  addKey(given: { key: string; reach: Reach[] }): Made<void>;
  /** From now on the key is unknown, as after a refresh in the portal. */
  revokeKey(given: { key: string }): Made<void>;
  /** A group, past all checks of the public API; started unless told otherwise. */
  addGroup(given: NewGroupOfTest): Made<{ id: string }>;
  removeGroup(given: { id: string }): Made<void>;
  /** Every instance of all groups of an organization, as the public API shows them. */
  listInstances(given: { organization: string }): Made<InstanceOfTest[]>;
  /** The machine vanishes without notice; the next look at its group finds a replacement on another one. */
  interruptInstance(given: { id: string }): Made<void>;
  /** A token as an instance's own, or as odd as told. */
  mintToken(given: TokenWish): Made<{ jwt: string }>;
  /** The older pair goes, the newer one signs from now on, a fresh one is published beside it. Twice: no published key of before is left. */
  rotateSigningKeys(): Made<void>;
  /** Requests fail in this way from now on; the first fault that matches acts. */
  addFault(fault: Fault): Made<void>;
  clearFaults(): Made<void>;
  /** What was asked of it, oldest first; the last 10,000. Not of the controls themselves. */
  listRequests(): Made<SeenRequest[]>;
}
/** Here at once, over HTTP later. */
type Made<T> = T | Promise<T>;

export interface NewOrganization {
  name: string;
  /** (Default: a new UUID.) */
  id?: string;
  /** Names. (Default: `default`.) */
  projects?: string[];
  keys?: string[];
  /** (Default: 100.) */
  replicasQuota?: number;
  /** Reallocations, recreates and restarts, each. (Default: 10.) */
  movesPerMinute?: number;
}

export interface Reach {
  organization: string;
  projects?: string[];
}

export interface NewGroupOfTest {
  organization: string;
  /** (Default: `default`.) */
  project?: string;
  name: string;
  id?: string;
  /** (Default: 0.) */
  replicas?: number;
  /** (Default: false.) */
  stopped?: boolean;
}

export interface InstanceOfTest {
  id: string;
  machineId: string;
  groupId: string;
  state: InstanceState;
  deletionCost: number;
}

export type InstanceState = "allocating" | "downloading" | "creating" | "running" | "stopping";

export interface TokenWish {
  organization: string;
  containerGroupId: string;
  machineId: string;
  /** Seconds from now. (Defaults: 0, 0, 300.) */
  issuedIn?: number;
  notBeforeIn?: number;
  expiresIn?: number;
  /** Replace claims, or add to them; null takes one away. */
  claims?: Record<string, unknown>;
  /** Replace entries of the header, or add to them; null takes one away. */
  header?: Record<string, unknown>;
  /**
   * - `older`: the published key that signs. (Default.)
   * - `newer`: the other published one.
   * - `unknown`: one that was never published, under a `kid` of its own.
   * - `forged`: that one, under the `kid` of the key that signs.
   * - `none`: unsigned, with `alg: none`.
   * - `hmac`: `alg: HS256`, with the public key as its secret.
   * - `rsa`: `alg: RS256`, under the `kid` of the key that signs.
   */
  signedBy?: "older" | "newer" | "unknown" | "forged" | "none" | "hmac" | "rsa";
}

export type Fault = {
  /** Which requests; each condition that is given must hold. */
  on?: {
    method?: string;
    /** A regular expression, searched in the path. */
    path?: string;
    /** The value of Salad-Api-Key. */
    key?: string;
  };
  /** How often. (Default: until cleared.) */
  times?: number;
  /** The request takes effect all the same; only its answer is lost. (Default: false.) */
  applied?: boolean;
} & FaultKind;

/**
 * - `html`: a page, with that status.
 * - `problem`: what the specification calls an error, with that status.
 * - `body`: whatever is told.
 * - `slow`: as always, but so many milliseconds later.
 * - `hang`: no answer until the client gives up.
 * - `trickle`: status and headers, and then no end.
 * - `reset`: the connection.
 */
export type FaultKind =
  | { kind: "html"; status: number }
  | { kind: "problem"; status: number }
  | { kind: "body"; status: number; headers?: Record<string, string>; body: string }
  | { kind: "slow"; delayMs: number }
  | { kind: "hang" }
  | { kind: "trickle" }
  | { kind: "reset" };

export interface SeenRequest {
  method: string;
  path: string;
  /** The value of Salad-Api-Key. */
  key: string | null;
}

/** Controls the simulated SaladCloud at that address (scheme, host and port). */
export function controlsAt(url: string): Controls {
  const call = async (name: string, given: unknown) => {
    const response = await fetch(`${url}/control/${name}`, {
      method: "POST",
      body: JSON.stringify(given ?? {}),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the simulated SaladCloud refused ${name}: ${text}`);
    return text === "" ? undefined : JSON.parse(text);
  };
  const proxy = {
    // Whoever awaits it, as what an async function returns, must not take it for a promise.
    get: (_: Controls, name: string | symbol) =>
      name === "then" ? undefined : (given: unknown) => call(String(name), given),
  };
  return new Proxy({} as Controls, proxy);
}
