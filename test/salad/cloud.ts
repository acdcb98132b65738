/** The state of the simulated SaladCloud: its parts, and nothing of how they are asked. */
import { randomUUID } from "node:crypto";
import { Accounts } from "./accounts.ts";
import { Faults } from "./faults.ts";
import { Groups } from "./groups.ts";
import type { Hardware } from "./hardware.ts";
import { Instances } from "./instances.ts";
import { Machines } from "./machines.ts";
import type { PaceSource } from "./pace.ts";
import { PerMinute } from "./per-minute.ts";
import { Tokens } from "./tokens.ts";

/** What Salad lets a key ask in a minute. */
export const saladRequestsPerMinute = 240;

export interface CloudOptions {
  /** (Default: everything at once, and machines stay.) */
  pace?: PaceSource;
  /** Machines that there are. (Default: as many as are asked for.) */
  machines?: number;
  /** Of a machine that joins. */
  hardware?: () => Hardware;
  /** From a group's start until its image is stored: so long it is `pending`, and nothing is allocated. (Default: at once.) */
  preparingMs?: () => number;
  /** Requests that a key may make; Salad's own: `saladRequestsPerMinute`. (Default: no limit.) */
  requestsPerMinute?: number;
  /** (Default: the system's clock.) */
  nowMs?: () => number;
  /** Of instances and machines. (Default: random UUIDs.) */
  newId?: () => string;
}

export interface Cloud {
  accounts: Accounts;
  groups: Groups;
  instances: Instances;
  machines: Machines;
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
  const newId = options.newId ?? randomUUID;
  const groups = new Groups(options.preparingMs);
  const machines = new Machines({ limit: options.machines, newId, hardware: options.hardware });
  return {
    accounts: new Accounts(),
    groups,
    machines,
    instances: new Instances(groups, machines, { pace: options.pace ?? {}, nowMs, newId }),
    tokens: new Tokens(),
    faults: new Faults(),
    requests: new PerMinute(),
    requestsPerMinute: options.requestsPerMinute ?? Number.POSITIVE_INFINITY,
    moves: new PerMinute(),
    nowMs,
  };
}
