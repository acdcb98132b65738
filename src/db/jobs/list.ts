import { JobStatus } from "../../contract/index.ts";
import type { SqlRecord } from "../job-record.ts";
import type { Statement } from "../statement.ts";

export interface JobFilter {
  /** `null`: everybody's jobs, for the admin. */
  userId: string | null;
  statuses?: readonly JobStatus[] | undefined;
  containerGroupId?: string | undefined;
  machineId?: string | undefined;
  /** Milliseconds since the epoch: at this time or later. */
  createdFromMs?: number | undefined;
  /** Before this time. */
  createdBeforeMs?: number | undefined;
}

/** A job's place in every list. */
export interface Place {
  createdMs: number;
  seq: number;
}

export interface Page {
  ascending: boolean;
  limit: number;
  offset: number;
  /** Begin behind this job. */
  after?: Place | undefined;
  /** End early, but never before the first job, once the rows so far have so many bytes. */
  maxBytes: number;
}

/** What of a row can be large, in bytes; read from the row's header, not from the text itself. */
const rowBytes = ["command", "arguments", "environment", "sync", "legacy_storage", "webhook", "failed_reason"]
  .map((column) => `COALESCE(octet_length(${column}), 0)`)
  .join(" + ");

/**
 * One page of a user's jobs by `created`, ties by `seq`; of the admin's by `seq` alone, which differs only by how far
 * the clocks of Cloudflare's machines differ. The rows come in no order (`inOrder` puts them into one): ordering whole rows here would copy
 * them. `found` tells how many there are, up to one more than the limit.
 *
 * Index: jobs_by_user, jobs_by_user_status, jobs_by_user_group, jobs_by_user_group_status or jobs_by_user_machine, whichever has most of the
 * filtered columns. It is named in the statement: SQLite, which has no statistics here, would take another one where a time is given. The rowid
 * at the end of each is `seq`, so the jobs themselves are never sorted: several statuses are one scan each, merged. What is sorted are
 * the sizes of the rows of this one page.
 * The admin walks the table and filters on the way: rare enough not to cost every insert more indexes.
 * Of rows skipped by OFFSET only the index is read, but all of it: `after` is what makes deep pages cost what the first one costs.
 */
export function listJobs(filter: JobFilter, page: Page): Statement {
  const sql = new Conditions();
  const scans = filter.userId === null ? [scanOfAll(sql, filter, page)] : scansOfUser(sql, filter, page);
  const direction = page.ascending ? "ASC" : "DESC";
  const order = filter.userId === null ? `seq ${direction}` : `created ${direction}, seq ${direction}`;
  const [found, offset] = [sql.param(page.limit + 1), sql.param(page.offset)];
  const [limit, maxBytes] = [sql.param(page.limit), sql.param(page.maxBytes)];
  const columns = `SELECT seq, created, ${rowBytes} AS bytes FROM`;
  return {
    sql: `WITH page AS MATERIALIZED (
            ${scans.map((scan) => `${columns} ${scan}`).join(" UNION ALL ")}
            ORDER BY ${order} LIMIT ${found} OFFSET ${offset}),
          sums AS MATERIALIZED (
            SELECT seq, ROW_NUMBER() OVER upto AS number, SUM(bytes) OVER upto - bytes AS before, COUNT(*) OVER () AS found
            FROM page WINDOW upto AS (ORDER BY ${order} ROWS UNBOUNDED PRECEDING))
          SELECT s.found, j.* FROM sums s CROSS JOIN jobs j ON j.seq = s.seq
          WHERE s.number <= ${limit} AND s.before < ${maxBytes}`,
    params: sql.params,
  };
}

/** A row of `listJobs`. */
export type ListedRecord = SqlRecord & { found: number; created: number; seq: number };

/** The rows of `listJobs` in the order of the list. */
export function inOrder(records: ListedRecord[], filter: JobFilter, { ascending }: Page): ListedRecord[] {
  const sign = ascending ? 1 : -1;
  const byTime = (a: ListedRecord, b: ListedRecord) => (filter.userId === null ? 0 : a.created - b.created);
  return [...records].sort((a, b) => sign * (byTime(a, b) || a.seq - b.seq));
}

/** The parameters of a statement as its conditions name them. */
class Conditions {
  readonly params: unknown[] = [];
  readonly #names = new Map<unknown, string>();

  /** `?N`, the same for the same value: D1 takes 100, and a filter stands in each scan. */
  param(value: unknown): string {
    const known = this.#names.get(value);
    if (known !== undefined) return known;
    this.params.push(value);
    const name = `?${this.params.length}`;
    this.#names.set(value, name);
    return name;
  }

  where(conditions: (string | undefined)[]): string {
    const given = conditions.filter((condition) => condition !== undefined);
    return given.length === 0 ? "" : `WHERE ${given.join(" AND ")}`;
  }

  equal(column: string, value: unknown): string | undefined {
    return value === undefined ? undefined : `${column} = ${this.param(value)}`;
  }

  oneOf(column: string, values: readonly unknown[] | undefined): string | undefined {
    return values && `${column} IN (${values.map((value) => this.param(value)).join(", ")})`;
  }

  compare(column: string, operator: string, value: unknown): string | undefined {
    return value === undefined ? undefined : `${column} ${operator} ${this.param(value)}`;
  }
}

/** No filter at all where every status is asked for. */
function statusesOf({ statuses }: JobFilter): readonly JobStatus[] | undefined {
  return statuses && statuses.length < JobStatus.options.length ? statuses : undefined;
}

function scanOfAll(sql: Conditions, filter: JobFilter, page: Page): string {
  const where = sql.where([
    sql.compare("seq", page.ascending ? ">" : "<", page.after?.seq),
    sql.oneOf("status", statusesOf(filter)),
    sql.equal("container_group_id", filter.containerGroupId),
    sql.equal("machine_id", filter.machineId),
    sql.compare("created", ">=", filter.createdFromMs),
    sql.compare("created", "<", filter.createdBeforeMs),
  ]);
  return `jobs NOT INDEXED ${where}`;
}

/**
 * At most five, which is how many SELECTs D1 lets one statement join: one for each status, and behind a place one more for the
 * jobs of that very millisecond (a batch's, up to 1,000), which begins at `seq` instead of skipping those before it.
 */
function scansOfUser(sql: Conditions, filter: JobFilter, page: Page): string[] {
  const statuses = statusesOf(filter);
  const { after } = page;
  const byMachine = filter.machineId !== undefined;
  const index = byMachine
    ? "jobs_by_user_machine"
    : filter.containerGroupId === undefined
      ? "jobs_by_user"
      : "jobs_by_user_group";
  const common = [
    sql.equal("user_id", filter.userId),
    sql.equal("machine_id", filter.machineId),
    sql.equal("container_group_id", filter.containerGroupId),
  ];
  const beyond = [
    sql.compare("created", ">=", filter.createdFromMs),
    sql.compare("created", "<", filter.createdBeforeMs),
    sql.compare("created", page.ascending ? ">" : "<", after?.createdMs),
  ];
  const scan = (indexed: string, conditions: (string | undefined)[]) =>
    `jobs INDEXED BY ${indexed} ${sql.where([...common, ...conditions])}`;

  const scans =
    byMachine || statuses === undefined
      ? [scan(index, [...beyond, sql.oneOf("status", statuses)])]
      : statuses.map((status) => scan(`${index}_status`, [sql.equal("status", status), ...beyond]));
  if (after === undefined) return scans;
  const sameMoment = [
    sql.equal("created", after.createdMs),
    sql.compare("seq", page.ascending ? ">" : "<", after.seq),
    sql.oneOf("status", statuses),
  ];
  return [scan(index, sameMoment), ...scans];
}
