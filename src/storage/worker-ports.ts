import { d1Port } from "../db/prepare.ts";
import { writeLog } from "../log.ts";
import type { StoragePorts } from "./ports.ts";
import { r2Bucket } from "./r2-bucket.ts";

/** The bindings of the Worker as the storage's engines need them. */
export function workerPorts(env: Env): StoragePorts {
  return {
    d1: d1Port(env.DB),
    bucket: r2Bucket(env.CHECKPOINTS),
    nowMs: () => Date.now(),
    operationId: () => crypto.randomUUID(),
    log: writeLog,
  };
}
