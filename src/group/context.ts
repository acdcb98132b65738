import type { ClosedJobs } from "./closed-jobs.ts";
import type { GrantHold } from "./grant-hold.ts";
import type { Intents } from "./intents.ts";
import type { LeaseRows } from "./lease-rows.ts";
import type { Machines } from "./machines.ts";
import type { Polls } from "./polls.ts";
import type { Ports } from "./ports.ts";
import type { QueueHead } from "./queue-head.ts";

/** An operation whose outcome is unknown is looked at again after this long. */
export const openRetryMs = 2_000;

/** What every operation of a group works with; put together once per life of the object (engine.ts). */
export interface GroupContext {
  ports: Ports;
  rows: LeaseRows;
  machines: Machines;
  closed: ClosedJobs;
  intents: Intents;
  head: QueueHead;
  polls: Polls;
  hold: GrantHold;
  /** Makes sure that the alarm rings at `atMs` or before. */
  armAlarm(atMs: number): void;
}
