/** A job of examples/sum, as the demo and the end-to-end tests submit it. */
import { join } from "node:path";
import { localBucket } from "./local-api.ts";
import type { SubmittedJob } from "./local-client.ts";
import { projectRoot } from "./project.ts";

export interface SumJob {
  name: string;
  n: number;
  stepSeconds: number;
  containerGroupId: string;
  /** The append-only log that tells what really ran. */
  logPath: string;
  heartbeatIntervalSeconds: number;
}

export const checkpointPrefixOf = (name: string) => `checkpoints/${name}/`;
export const outputKeyOf = (name: string) => `outputs/${name}/sum.json`;

export function sumJob(job: SumJob): SubmittedJob {
  const checkpoints = {
    bucket: localBucket.bucket,
    prefix: checkpointPrefixOf(job.name),
    // Relative: below the agent's working directory, which is another one on each "node".
    local_path: "./checkpoints",
    // Whole checkpoints only; what the program writes beside them on the way is its own business.
    pattern: "\\.json$",
  };
  return {
    command: process.execPath,
    arguments: [join(projectRoot, "examples/sum/sum.mjs")],
    environment: {
      N: String(job.n),
      STEP_SECONDS: String(job.stepSeconds),
      CHECKPOINT_PATH: "./checkpoints",
      OUTPUT_PATH: "./output",
      SUM_LOG: job.logPath,
    },
    container_group_id: job.containerGroupId,
    heartbeat_interval: job.heartbeatIntervalSeconds,
    sync: {
      before: [{ ...checkpoints, direction: "download" }],
      during: [{ ...checkpoints, direction: "upload" }],
      after: [
        {
          bucket: localBucket.bucket,
          prefix: `outputs/${job.name}/`,
          local_path: "./output",
          direction: "upload",
        },
      ],
    },
  };
}
