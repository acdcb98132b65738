/** What all transfers of one instance share: one client, one patience, one set of bounds. */
import { Slots, Turns } from "./bounded.ts";
import { HttpClient } from "./http-client.ts";
import type { TransferSettings } from "./ports.ts";
import type { Patience } from "./retry.ts";
import { S3Client } from "./stores/s3/s3-client.ts";

export interface Store {
  client: S3Client;
  patience: Patience;
  concurrentFiles: number;
  concurrentRequests: number;
  /** Files at once over all rules. */
  files: Slots;
  /** Uploads and deletes of one key, one after the other. */
  keys: Turns;
}

export function createStore(settings: TransferSettings): Store {
  const concurrentFiles = settings.concurrentFiles ?? 8;
  const concurrentRequests = settings.concurrentRequests ?? 16;
  return {
    client: new S3Client(new HttpClient({ ...settings, concurrentRequests }), settings),
    patience: { tries: settings.tries ?? 6, backoffBaseMs: settings.backoffBaseMs ?? 500 },
    concurrentFiles,
    concurrentRequests,
    files: new Slots(concurrentFiles),
    keys: new Turns(),
  };
}
