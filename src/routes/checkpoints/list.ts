import { createRoute } from "@hono/zod-openapi";
import { type Checkpoint, CheckpointList } from "../../contract/index.ts";
import { type CheckpointRecord, listCheckpoints } from "../../db/checkpoints/list.ts";
import { prepare } from "../../db/prepare.ts";
import { queueOfJob } from "../jobs/queue-of-job.ts";
import { answer, JobParams, operation, refusals } from "../operation.ts";
import { iso } from "../times.ts";

/** The newest ones tell what can be resumed from and how fast a job gets on. */
const maxCheckpoints = 1000;

const route = createRoute({
  method: "get",
  path: "/jobs/{id}/checkpoints",
  tags: ["Jobs"],
  access: "people" as const,
  summary: "The generations of a job's snapshots, newest first (of more than 1,000 the newest)",
  request: { params: JobParams },
  responses: { 200: answer(CheckpointList, "The generations"), ...refusals(404) },
});

export const listJobCheckpoints = operation(route, async (c) => {
  const { id } = c.req.valid("param");
  await queueOfJob(c, id);
  const { results } = await prepare(c.env.DB, listCheckpoints(id, maxCheckpoints)).all<CheckpointRecord>();
  const checkpoints = results.map(presentCheckpoint);
  return c.json({ _count: checkpoints.length, checkpoints }, 200);
});

function presentCheckpoint(record: CheckpointRecord): Checkpoint {
  return {
    attempt: record.attempt,
    generation: record.generation,
    prefix: record.prefix,
    committed: iso(record.committed),
    files: record.files,
    bytes_new: record.bytes_new,
    bytes_total: record.bytes_total,
    quiet: record.quiet === 1,
    // The commit looks, or there is no row.
    verified: true,
    state: stateOf(record),
  };
}

/** A damaged one that has retired is told as retired: it is on its way out, intact or not. */
function stateOf({ retired, damaged }: CheckpointRecord): Checkpoint["state"] {
  if (retired !== null) return "retired";
  return damaged === null ? "kept" : "damaged";
}
