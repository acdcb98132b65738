/** No statement about outputs scans a table, and none sorts more than the rows of the keys it was handed. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { prepare } from "../../../src/db/prepare.ts";
import type { Statement } from "../../../src/db/statement.ts";
import {
  deleteOutputs,
  listPublished,
  readPublished,
  readPublishedVersions,
  recordOutputs,
} from "../../../src/db/storage/outputs.ts";

const place = { userId: "u", jobId: "j", attempt: 1 };
const output = { key: "k", bytes: 1, etag: "e", uploaded: 1 };
const page = { prefix: "p", after: "", limit: 10 };
const named = { key: "k", job_id: "j", attempt: 1 };
const attemptsKey = "SEARCH a USING INDEX sqlite_autoindex_attempts_1 (job_id=? AND number=?)";
const outputsKey = "sqlite_autoindex_outputs_1";

test.each<[string, Statement, string[], boolean]>([
  ["readPublished", readPublished("u", ["k"]), [`${outputsKey} (user_id=? AND key=?)`, attemptsKey], true],
  [
    "readPublishedVersions",
    readPublishedVersions("u", ["k"], 10),
    [`${outputsKey} (user_id=? AND key=?)`, attemptsKey],
    false,
  ],
  [
    "listPublished",
    listPublished("u", { ...page, before: "q" }),
    [`${outputsKey} (user_id=? AND key>? AND key<?)`, attemptsKey],
    false,
  ],
  [
    "listPublished of everything",
    listPublished("u", { ...page, prefix: "", before: null }),
    [`${outputsKey} (user_id=? AND key>?)`, attemptsKey],
    false,
  ],
  ["recordOutputs", recordOutputs(place, [output]), ["SEARCH j USING INDEX jobs_id (id=?)"], false],
  [
    "deleteOutputs",
    deleteOutputs("u", [named]),
    [`${outputsKey} (user_id=? AND key=? AND job_id=? AND attempt=?)`],
    false,
  ],
])("%s", async (_name, { sql, params }, steps, sorts) => {
  const explain = prepare(env.DB, { sql: `EXPLAIN QUERY PLAN ${sql}`, params });
  const plan = (await explain.all<{ detail: string }>()).results.map((row) => row.detail);
  const text = plan.join("\n");
  for (const step of steps) expect(text).toContain(step);
  expect(plan.filter((step) => /\bSCAN\b/.test(step) && !step.includes("VIRTUAL TABLE"))).toEqual([]);
  expect(text.includes("TEMP B-TREE")).toBe(sorts);
});
