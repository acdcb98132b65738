/** No hot statement of the routes scans a table or sorts: SQLite's own plan says so. */
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { JobStatus } from "../../../src/contract/index.ts";
import { listGroups, readGroup } from "../../../src/db/groups/overview.ts";
import { listAttempts } from "../../../src/db/jobs/attempts.ts";
import { readJobsInOrder } from "../../../src/db/jobs/idempotency.ts";
import { type JobFilter, listJobs, type Page } from "../../../src/db/jobs/list.ts";
import { readAttemptsOf, readJobOf, readQueueOf } from "../../../src/db/jobs/read.ts";
import { prepare } from "../../../src/db/prepare.ts";
import { readProjectOfGroup } from "../../../src/db/salad/project-of-group.ts";
import type { Statement } from "../../../src/db/statement.ts";
import {
  deleteExpiredTokens,
  deleteToken,
  insertToken,
  listTokens,
  readToken,
} from "../../../src/db/users/tokens.ts";
import { readUser, readUserNamed, tieToOrganization } from "../../../src/db/users/users.ts";

async function planOf({ sql, params }: Statement): Promise<string[]> {
  const explain = prepare(env.DB, { sql: `EXPLAIN QUERY PLAN ${sql}`, params });
  return (await explain.all<{ detail: string }>()).results.map((row) => row.detail);
}

const page: Page = { ascending: false, limit: 100, offset: 0, maxBytes: 1000 };
const after = { createdMs: 5, seq: 6 };
const token = {
  hash: "h",
  id: "i",
  userId: "u",
  orgName: "o",
  projectName: "p",
  name: null,
  role: "user" as const,
  containerGroupId: null,
  createdMs: 0,
  expiresMs: null,
};

describe("search an index, and sort nothing", () => {
  test.each<[string, Statement, string]>([
    ["a user's job", readJobOf("u", "j"), "jobs_id (id=?)"],
    ["any job", readJobOf(null, "j"), "jobs_id (id=?)"],
    ["the queue of a user's job", readQueueOf("u", "j"), "jobs_id (id=?)"],
    ["the queue of any job", readQueueOf(null, "j"), "jobs_id (id=?)"],
    ["the attempts of a user's job", readAttemptsOf("u", "j"), "jobs_id (id=?)"],
    ["the attempts of any job", readAttemptsOf(null, "j"), "jobs_id (id=?)"],
    ["attempts of a job", listAttempts("j", 10), "sqlite_autoindex_attempts_1 (job_id=?)"],
    ["a token", readToken("h"), "sqlite_autoindex_tokens_1 (hash=?)"],
    ["a user", readUser("u"), "sqlite_autoindex_users_1 (id=?)"],
    ["an organization's user", readUserNamed("u"), "users_username (username=?)"],
    ["the user to tie", tieToOrganization("u", "o"), "sqlite_autoindex_users_1 (id=?)"],
    ["the project of a group", readProjectOfGroup("u", "g"), "sqlite_autoindex_salad_groups_1 (user_id=?"],
    ["a user's tokens", listTokens("u", 0), "tokens_by_user (user_id=?)"],
    ["a user's expired tokens", deleteExpiredTokens("u", 0), "tokens_by_user (user_id=?)"],
    ["a user's token", deleteToken("u", "t"), "tokens_by_user (user_id=?)"],
  ])("%s", async (_name, statement, index) => {
    const plan = await planOf(statement);
    expect(plan).toHaveLength(1);
    expect(plan[0]).toMatch(/^SEARCH /);
    expect(plan[0]).toContain(index);
  });
});

test("groups are counted in their own index alone, and listed by steps into one", async () => {
  const counted = await planOf(readGroup("u", "g", 10));
  const ofJobs = counted.filter((step) => /jobs/.test(step));
  expect(ofJobs).toHaveLength(6);
  for (const step of ofJobs) {
    expect(step).toMatch(
      /^SEARCH jobs USING COVERING INDEX jobs_by_user_group_status \(user_id=\? AND container_group_id=\? AND status=\?\)/,
    );
  }
  expect(counted.filter((step) => step.includes("TEMP B-TREE"))).toEqual([]);
  const listed = await planOf(listGroups("u", "", 10));
  for (const step of listed.filter((step) => / jobs | groups | scaling_rules /.test(step))) {
    expect(step).toMatch(/^SEARCH \w+ USING COVERING INDEX .*\(user_id=\? AND container_group_id>\?\)/);
  }
  expect(listed.filter((step) => /^SEARCH (jobs|groups|scaling_rules)/.test(step))).toHaveLength(4);
});

test("jobs of a submission are found one by one", async () => {
  expect(await planOf(readJobsInOrder("u", ["j"]))).toContainEqual("SEARCH jobs USING INDEX jobs_id (id=?)");
});

test("a new token searches its user, and counts his tokens by their index", async () => {
  expect(await planOf(insertToken(token))).toEqual([
    "SEARCH users USING COVERING INDEX sqlite_autoindex_users_1 (id=?)",
    "SCALAR SUBQUERY 1",
    "SEARCH tokens USING COVERING INDEX tokens_by_user (user_id=?)",
  ]);
});

/** How the jobs of a list are found; the rest of the plan is about the rows of one page and the same for all. */
async function scansOf(filter: JobFilter, asked: Page): Promise<string[]> {
  const plan = await planOf(listJobs(filter, asked));
  expect(plan).toContain("SEARCH j USING INTEGER PRIMARY KEY (rowid=?)");
  // The sizes of one page's rows are sorted, once; never the jobs.
  expect(plan.filter((line) => line.includes("TEMP B-TREE"))).toEqual(["USE TEMP B-TREE FOR ORDER BY"]);
  return plan.filter((line) => / jobs\b/.test(line));
}
const search = (index: string, columns: string) => `SEARCH jobs USING INDEX ${index} (${columns})`;

describe("a user's jobs are searched by an index and never sorted", () => {
  const group = { containerGroupId: "g" };
  const range = { createdFromMs: 1, createdBeforeMs: 9 };
  const [byUser, byGroup] = ["user_id=?", "user_id=? AND container_group_id=?"];
  const byMachine = "user_id=? AND machine_id=?";
  test.each<[string, Omit<JobFilter, "userId">, string, string]>([
    ["all", {}, "jobs_by_user", byUser],
    ["by status", { statuses: ["pending"] }, "jobs_by_user_status", `${byUser} AND status=?`],
    ["by group", group, "jobs_by_user_group", byGroup],
    ["by both", { ...group, statuses: ["running"] }, "jobs_by_user_group_status", `${byGroup} AND status=?`],
    ["by machine", { machineId: "m" }, "jobs_by_user_machine", byMachine],
    [
      "by machine and more",
      { machineId: "m", ...group, statuses: ["failed"] },
      "jobs_by_user_machine",
      byMachine,
    ],
    ["by every status", { statuses: [...JobStatus.options] }, "jobs_by_user", byUser],
  ])("%s", async (_name, filter, index, columns) => {
    for (const ascending of [false, true]) {
      const asked = { ...page, ascending };
      expect(await scansOf({ userId: "u", ...filter }, asked)).toEqual([search(index, columns)]);
      expect(await scansOf({ userId: "u", ...filter, ...range }, asked)).toEqual([
        search(index, `${columns} AND created>? AND created<?`),
      ]);
      const [sameMoment, ...beyond] = await scansOf({ userId: "u", ...filter }, { ...asked, after });
      expect(sameMoment).toMatch(/ AND created=\? AND rowid[<>]\?\)$/);
      expect(beyond).toEqual([search(index, `${columns} AND created${ascending ? ">" : "<"}?`)]);
    }
  });

  test.each([2, 3, 4])("by %i statuses: one search each, merged, and as many as D1 joins", async (count) => {
    const statuses = JobStatus.options.slice(0, count);
    for (const filter of [{ statuses }, { statuses, ...group }, { statuses, ...group, ...range }]) {
      const scans = await scansOf({ userId: "u", ...filter }, { ...page, after });
      expect(scans).toHaveLength(count + 1);
      for (const scan of scans.slice(1)) expect(scan).toMatch(/_status \(.*status=\? AND created/);
    }
  });
});

test("the admin's list walks the table in order, whatever the filter, and sorts nothing", async () => {
  for (const filter of [{}, { statuses: ["failed" as const] }, { containerGroupId: "g", machineId: "m" }]) {
    expect(await scansOf({ userId: null, ...filter }, page)).toEqual(["SCAN jobs"]);
    expect(await scansOf({ userId: null, ...filter }, { ...page, after })).toEqual([
      "SEARCH jobs USING INTEGER PRIMARY KEY (rowid<?)",
    ]);
  }
});
