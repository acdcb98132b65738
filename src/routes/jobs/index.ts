/** Jobs, from submission to their end. */
import { createRouter } from "../operation.ts";
import { listJobAttempts } from "./attempts.ts";
import { cancelJob } from "./cancel.ts";
import { clearAllJobs } from "./clear.ts";
import { createJob } from "./create.ts";
import { createBatch } from "./create-batch.ts";
import { getJob } from "./get.ts";
import { heartbeat } from "./heartbeat.ts";
import { listAllJobs } from "./list.ts";
import { readLog } from "./logs/read.ts";
import { writeLog } from "./logs/write.ts";
import { purgeGroup } from "./purge.ts";
import { reportCompleted, reportFailed, reportReleased, reportStalled, reportTimedOut } from "./report.ts";
import { retryEndedJob } from "./retry.ts";

export const jobs = createRouter().openapiRoutes([
  createJob,
  createBatch,
  listAllJobs,
  getJob,
  listJobAttempts,
  readLog,
  writeLog,
  cancelJob,
  retryEndedJob,
  purgeGroup,
  heartbeat,
  reportCompleted,
  reportFailed,
  reportReleased,
  reportStalled,
  reportTimedOut,
  clearAllJobs,
]);
