/** Generations of snapshots: agents commit and resume from them under their lease, people look at them. */
import { createRouter } from "../operation.ts";
import { commitCheckpoint } from "./commit.ts";
import { doubtCheckpoint } from "./doubt.ts";
import { headOfSeries } from "./head.ts";
import { listJobCheckpoints } from "./list.ts";

export const checkpoints = createRouter().openapiRoutes([
  headOfSeries,
  commitCheckpoint,
  doubtCheckpoint,
  listJobCheckpoints,
]);
