/** No statement of the outbox scans a table or sorts: SQLite's own plan says so. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { prepare } from "../../../src/db/prepare.ts";
import type { Statement } from "../../../src/db/statement.ts";
import { readSecretNonces, rotateSecretNonce } from "../../../src/db/users/webhook-secret.ts";
import {
  leaseDeliveries,
  leaseNewOf,
  putOff,
  readDue,
  recordOutcomes,
} from "../../../src/db/webhooks/leases.ts";
import { listDeliveries, listDeliveriesOf } from "../../../src/db/webhooks/list.ts";
import { recordEvent } from "../../../src/db/webhooks/outbox.ts";

const byKey = "USING INTEGER PRIMARY KEY";
const outcome = {
  seq: 1,
  tries: 1,
  dueMs: 1,
  deliveredMs: null,
  abandonedMs: null,
  lastStatus: null,
  lastError: null,
};

test.each<[string, Statement, string[]]>([
  ["recordEvent", recordEvent("j", "o", 1, true), ["jobs_id (id=?)", "deliveries_by_job (job_id=?)"]],
  ["readDue", readDue(1, 10), ["deliveries_due (due<?)"]],
  ["leaseDeliveries", leaseDeliveries([1], "o", 1, 2), [byKey, "sqlite_autoindex_users_1 (id=?)"]],
  ["leaseNewOf", leaseNewOf(["j"], "o", 1, 2, 20), [byKey, "deliveries_by_job (job_id=?)"]],
  ["recordOutcomes", recordOutcomes([outcome], "o"), [byKey]],
  ["putOff", putOff([1], 1, 2), [byKey]],
  ["listDeliveriesOf", listDeliveriesOf("j", 10), ["deliveries_by_job (job_id=?)"]],
  ["listDeliveries", listDeliveries("u", 9, 10), ["deliveries_by_user (user_id=? AND seq<?)"]],
  ["listDeliveries of the admin", listDeliveries(null, 9, 10), [byKey]],
  ["readSecretNonces", readSecretNonces("u"), ["sqlite_autoindex_users_1 (id=?)"]],
  ["rotateSecretNonce", rotateSecretNonce("u", "n", 1), ["sqlite_autoindex_users_1 (id=?)"]],
])("%s", async (_name, { sql, params }, indexes) => {
  const explain = prepare(env.DB, { sql: `EXPLAIN QUERY PLAN ${sql}`, params });
  const plan = (await explain.all<{ detail: string }>()).results.map((row) => row.detail);
  for (const index of indexes) expect(plan.join("; ")).toContain(index);
  const scans = plan.filter((step) => /\bSCAN\b/.test(step) && !step.includes("VIRTUAL TABLE"));
  expect(scans).toEqual([]);
  expect(plan.filter((step) => step.includes("TEMP B-TREE"))).toEqual([]);
});
