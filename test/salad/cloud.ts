/** The state of the simulated SaladCloud: its parts, and nothing of how they are asked. */
import { Accounts } from "./accounts.ts";
import { Faults } from "./faults.ts";
import { Groups } from "./groups.ts";
import { atOnce, Instances, type Pace } from "./instances.ts";
import { Machines } from "./machines.ts";
import { PerMinute } from "./per-minute.ts";
import { Tokens } from "./tokens.ts";

export interface CloudOptions {
  /** (Default: everything at once.) */
  pace?: Partial<Pace>;
  /** Machines that there are. (Default: as many as are asked for.) */
  machines?: number;
  /** Requests that a key may make; Salad's is 240. (Default: no limit.) */
  requestsPerMinute?: number;
  /** (Default: the system's clock.) */
  nowMs?: () => number;
}

export interface Cloud {
  accounts: Accounts;
  groups: Groups;
  instances: Instances;
  tokens: Tokens;
  faults: Faults;
  /** Requests by key. */
  requests: PerMinute;
  requestsPerMinute: number;
  /** Reallocations, recreates and restarts by organization. */
  moves: PerMinute;
  nowMs: () => number;
}

export function createCloud(options: CloudOptions = {}): Cloud {
  const nowMs = options.nowMs ?? Date.now;
  const groups = new Groups();
  return {
    accounts: new Accounts(),
    groups,
    instances: new Instances(groups, new Machines(options.machines), { ...atOnce, ...options.pace }, nowMs),
    tokens: new Tokens(),
    faults: new Faults(),
    requests: new PerMinute(),
    requestsPerMinute: options.requestsPerMinute ?? Number.POSITIVE_INFINITY,
    moves: new PerMinute(),
    nowMs,
  };
}
