/** Mutants of docs/webhooks.md, "The outbox". */
import type { Mutant } from "./mutants.ts";

const rule = "Outbox";

export const outboxMutants: Mutant[] = [
  {
    name: "an event does not hang on its operation",
    rule,
    file: "src/db/webhooks/outbox.ts",
    find: "FROM jobs WHERE id = ?1 AND last_op = ?2 AND webhook",
    replace: "FROM jobs WHERE id = ?1 AND ?2 <> '' AND webhook",
  },
  {
    name: "a repeated batch writes its event again",
    rule,
    file: "src/db/webhooks/outbox.ts",
    find: `
          ON CONFLICT (job_id, op, event) DO NOTHING`,
    replace: "",
  },
  {
    name: "an event is written after its batch",
    rule,
    file: "src/group/intents.ts",
    find: "results = await this.#together.batch(batches.flat());",
    replace: `const isEvent = ({ sql }: { sql: string }) => sql.startsWith("INSERT INTO deliveries");
      const nothing = { sql: "SELECT 1", params: [] };
      results = await this.#together.batch(batches.flat().map((one) => (isEvent(one) ? nothing : one)));
      await this.#together.batch([nothing, ...batches.flat().filter(isEvent)]);`,
  },
  {
    name: "a claim tells nobody",
    rule,
    file: "src/db/leases/claim.ts",
    find: "...(write.webhook ?",
    replace: "...(write.webhook === null ?",
  },
  {
    name: "a lease row forgets that its job has a webhook",
    rule,
    file: "src/group/lease-row.ts",
    find: "row.webhook === null ? null : Number(row.webhook),",
    replace: "0,",
  },
  {
    name: "an adopted lease does not know of its job's webhook",
    rule,
    file: "src/group/reconcile.ts",
    find: "webhook: record.has_webhook === 1,",
    replace: "webhook: false,",
  },
  {
    name: "a renewal's adoption does not know of its job's webhook",
    rule,
    file: "src/group/renew.ts",
    find: "webhook: standing.has_webhook === 1,",
    replace: "webhook: false,",
  },
  {
    name: "a cancel of what waits tells nobody",
    rule,
    file: "src/group/cancel.ts",
    find: "webhook: standing.has_webhook === 1",
    replace: "webhook: false",
  },
  {
    name: "a report of what nobody claimed tells nobody",
    rule,
    file: "src/group/settle.ts",
    find: "webhook: standing.has_webhook === 1",
    replace: "webhook: false",
  },
  {
    name: "a failure with tries left is told as an interruption",
    rule,
    file: "src/db/leases/end.ts",
    find: "!isFailure(write.kind))",
    replace: "true)",
  },
  {
    name: "events are told that nobody asked for",
    rule,
    file: "src/db/webhooks/outbox.ts",
    find: '"completed","failed"]',
    replace: '"completed","failed","interrupted"]',
  },
  {
    name: "numbers are not the job's own",
    rule,
    file: "src/db/webhooks/outbox.ts",
    find: "FROM deliveries WHERE job_id = ?1)",
    replace: "FROM deliveries WHERE ?1 <> '')",
  },
  {
    name: "a purge leaves deliveries",
    rule,
    file: "src/db/leases/purge.ts",
    find: "DELETE FROM deliveries WHERE job_id",
    replace: "DELETE FROM deliveries WHERE 1 = 0 AND job_id",
  },
];
