/**
 * A double of the original worker (0.7), written from what its users may rely on, without a look at it. It keeps the original's habits, faults
 * included: whatever it does, ours must stay safe with it. Runs until it is killed, has been idle too long, or has failed too often.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Api } from "./api.ts";
import { Bucket } from "./bucket.ts";
import { readConfig } from "./config.ts";
import { directoriesOf, emptyDirectory, type Means, runJob } from "./job.ts";
import { log } from "./log.ts";
import { StateFile } from "./state-file.ts";

// At once: the command runs on, nothing is uploaded or handed back.
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => process.exit(0));

const config = readConfig(process.env);
const means: Means = {
  config,
  api: new Api(config),
  bucket: new Bucket(config.s3),
  state: new StateFile(config.stateFile),
};
directoriesOf(null, config).forEach(emptyDirectory);

let failures = 0;
let idleSinceMs = Date.now();
while (failures < config.maxJobFailures) {
  if (config.maxIdleMs > 0 && Date.now() - idleSinceMs > config.maxIdleMs) break;
  const job = await means.api.work().catch((error) => void log("no answer", { error: String(error) }));
  if (!job) {
    log("no work");
    await sleep(config.pollMs);
    continue;
  }
  const end = await runJob(means, job);
  log("ended", { id: job.id, end });
  if (end === "failed") failures++;
  directoriesOf(job, config).forEach(emptyDirectory);
  idleSinceMs = Date.now();
}
// The original asks its node for another one here, and is gone with it.
log("reallocate", { failures });
process.exit(0);
