/**
 * What the autoscaler needs from the world (docs/autoscaling.md). The Worker gives it D1, the groups' objects, Salad's API and the object
 * that keeps its budget; tests and the simulated day give it Node's SQLite, the very engine of a group, and a clock that moves when told.
 */
import type { D1Port } from "../db/d1-port.ts";
import type { RuleKey } from "../db/scaling/rules.ts";
import type { RequestKind } from "../domain/request-budget.ts";
import type { GroupApi, GroupKey } from "../group/protocol.ts";
import type { SaladAnswer, SaladGroup, SaladInstance, SaladPlace, SaladQuota } from "../salad/client.ts";

/** The calls of Salad's API that the autoscaler makes, each one request; never rejects. Budget and backoff are not its business. */
export interface SaladPort {
  getGroup(place: SaladPlace): Promise<SaladAnswer<SaladGroup>>;
  /** All of the project. */
  listGroups(place: SaladPlace): Promise<SaladAnswer<SaladGroup[]>>;
  listInstances(place: SaladPlace): Promise<SaladAnswer<SaladInstance[]>>;
  setReplicas(place: SaladPlace, replicas: number): Promise<SaladAnswer<null>>;
  startGroup(place: SaladPlace): Promise<SaladAnswer<null>>;
  stopGroup(place: SaladPlace): Promise<SaladAnswer<null>>;
  reallocate(place: SaladPlace, instanceId: string): Promise<SaladAnswer<null>>;
  readQuota(organization: string): Promise<SaladAnswer<SaladQuota>>;
}

/** Requests that Salad still takes from the deployment's key. */
export interface BudgetPort {
  /** Takes one, or tells after how long there may be one. */
  take(what: RequestKind): Promise<{ ok: true } | { ok: false; waitMs: number }>;
  /** Salad has answered 429: nobody asks for a while, longer each time. */
  exhausted(): Promise<void>;
}

/** The same requests, for routes that ask with the deployment's key. */
export interface RouteBudgetPort {
  /** Takes one, of those that the autoscaler leaves to people or else of a few that it never takes; or tells after how long there may be one. */
  takeForRoute(): Promise<{ ok: true } | { ok: false; waitMs: number }>;
}

/** Whose submissions are looked after at once. */
export interface SubmissionsPort {
  /** Whether a submission of that user's is reason enough to look now; else the minute's look is soon enough. */
  mayLookFor(userId: string): Promise<boolean>;
}

/** One decision at a time on a group of SaladCloud. */
export interface TurnsPort {
  /** Whether it is ours, until `endTurn` or for `turnMs`; again by the same operation: still. */
  takeTurn(name: string, operationId: string): Promise<boolean>;
  /** Of another's turn: nothing. `restMs`: nobody gets it for so long (default 0). */
  endTurn(name: string, operationId: string, restMs?: number): Promise<void>;
}

/** Where the last pass came to its end for want of time or requests: the next one goes on from there. */
export interface RoundsPort {
  /** After which rule; null: at the first one. */
  lastRule(): Promise<RuleKey | null>;
  keepLastRule(rule: RuleKey | null): Promise<void>;
}

/** What is asked of the object of a group. */
export type ScalingGroup = Pick<
  GroupApi,
  "status" | "holdGrants" | "narrowHold" | "grantHold" | "badMachines" | "reallocated"
>;

export interface ScalingEvent {
  severity: "info" | "warning" | "error";
  event: /** A step was made, or failed. */
    | "scaling_step"
    /** What a pass of the cron did, if anything failed or was left over. */
    | "scaling_pass"
    /** A rule could not be looked at, for no fault of Salad's. */
    | "scaling_failed";
  detail: string;
  group?: string;
}

export interface ScalingPorts {
  d1: D1Port;
  /** Null: this deployment has no key (SALAD_API_KEY), and scales nothing. */
  salad: SaladPort | null;
  budget: BudgetPort;
  /** Absent: everybody's. */
  submissions?: SubmissionsPort;
  turns: TurnsPort;
  rounds: RoundsPort;
  group(key: GroupKey): ScalingGroup;
  nowMs(): number;
  sleep(ms: number): Promise<void>;
  /** 0 ≤ x < 1. */
  random(): number;
  /** A new operation id. */
  operationId(): string;
  log(event: ScalingEvent): void;
}
