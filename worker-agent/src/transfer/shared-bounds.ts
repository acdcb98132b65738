/** What all transfers of one instance share: one patience, one set of bounds. */
import { Slots, Turns } from "./bounded.ts";
import type { TransferSettings } from "./ports.ts";
import { type Patience, patienceOf } from "./retry.ts";

export interface SharedBounds {
  patience: Patience;
  concurrentFiles: number;
  concurrentRequests: number;
  /** Files at once over all rules. */
  files: Slots;
  /** Uploads and deletes of one key, one after the other. */
  keys: Turns;
}

export function createBounds(settings: TransferSettings): SharedBounds {
  const concurrentFiles = settings.concurrentFiles ?? 8;
  return {
    patience: patienceOf(settings),
    concurrentFiles,
    concurrentRequests: settings.concurrentRequests ?? 16,
    files: new Slots(concurrentFiles),
    keys: new Turns(),
  };
}
