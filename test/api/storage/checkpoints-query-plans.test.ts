/** No statement of checkpoints or of the storage sweep scans a table or sorts, except over the few values it was handed. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { commitGeneration, readNamed } from "../../../src/db/checkpoints/commit.ts";
import { damageSeen, doubtManifest } from "../../../src/db/checkpoints/doubt.ts";
import { listCheckpoints } from "../../../src/db/checkpoints/list.ts";
import { markPurged, readRetired, retiredStart } from "../../../src/db/checkpoints/retired.ts";
import { readKeptOfJob, readSeries } from "../../../src/db/checkpoints/series.ts";
import { prepare } from "../../../src/db/prepare.ts";
import type { Statement } from "../../../src/db/statement.ts";
import { forgetGarbage, readGarbage } from "../../../src/db/storage/due-garbage.ts";
import {
  deleteUnpublished,
  markSwept,
  readCommittedOf,
  readUnswept,
} from "../../../src/db/storage/unswept.ts";

const commit = commitGeneration({
  opId: "o",
  jobId: "j",
  prefix: "p/",
  attempt: 1,
  generation: 1,
  baseSeq: null,
  manifestSha256: "s",
  manifestBytes: 1,
  nowMs: 1,
  files: 1,
  bytesNew: 1,
  bytesTotal: 1,
  quiet: true,
  keep: 3,
});
const doubt = {
  jobId: "j",
  prefix: "p/",
  attempt: 1,
  headSeq: 1,
  machineId: "m",
  object: "1/1/s",
  nowMs: 1,
  namedBy: [1],
};

const statements: [string, Statement[], string][] = [
  ["commitGeneration", commit, "checkpoints_series (job_id=? AND prefix=?)"],
  ["readNamed", [readNamed("j", 1, 1)], "checkpoints_name (job_id=? AND attempt=? AND generation=?)"],
  ["readSeries", [readSeries("j", "p/")], "checkpoints_series (job_id=? AND prefix=?)"],
  ["readKeptOfJob", [readKeptOfJob("j")], "checkpoints_series (job_id=?)"],
  ["doubtManifest", doubtManifest(doubt), "INTEGER PRIMARY KEY (rowid=?)"],
  ["damageSeen", damageSeen(doubt), "INTEGER PRIMARY KEY (rowid=?)"],
  ["listCheckpoints", [listCheckpoints("j", 1)], "checkpoints_name (job_id=?)"],
  ["readRetired", [readRetired(retiredStart, 1)], "checkpoints_unpurged"],
  ["markPurged", [markPurged([1], 1)], "INTEGER PRIMARY KEY (rowid=?)"],
  ["readUnswept", [readUnswept(1, 1)], "attempts_unswept (ended>? AND ended<?)"],
  ["readCommittedOf", [readCommittedOf("j", 1)], "checkpoints_name (job_id=? AND attempt=?)"],
  ["deleteUnpublished", [deleteUnpublished("j", 1)], "outputs_by_attempt (job_id=? AND attempt=?)"],
  ["markSwept", [markSwept("j", 1)], "sqlite_autoindex_attempts_1 (job_id=? AND number=?)"],
  ["readGarbage", [readGarbage(1, 1)], "storage_garbage_due (due<?)"],
  [
    "forgetGarbage",
    [forgetGarbage({ prefix: "p", due: 1 })],
    "sqlite_autoindex_storage_garbage_1 (prefix=?)",
  ],
];

test.each(statements)("%s searches an index and sorts nothing", async (_name, batch, index) => {
  const plans: string[] = [];
  for (const { sql, params } of batch) {
    const explain = prepare(env.DB, { sql: `EXPLAIN QUERY PLAN ${sql}`, params });
    const plan = (await explain.all<{ detail: string }>()).results.map((row) => row.detail);
    const scans = plan.filter((step) => /\bSCAN\b/.test(step) && !/VIRTUAL TABLE|CONSTANT ROW/.test(step));
    expect(scans, sql).toEqual([]);
    expect(
      plan.filter((step) => step.includes("TEMP B-TREE")),
      sql,
    ).toEqual([]);
    plans.push(...plan);
  }
  expect(plans.join("; ")).toContain(index);
});
