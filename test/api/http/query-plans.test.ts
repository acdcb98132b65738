/** No hot statement of the routes scans a table or sorts: SQLite's own plan says so. */
import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import { listAttempts } from "../../../src/db/jobs/attempts.ts";
import { listJobs } from "../../../src/db/jobs/list.ts";
import { readJobOf, readQueueOf } from "../../../src/db/jobs/read.ts";
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

const page = { ascending: false, limit: 100, offset: 0 };
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
    ["a user's jobs", listJobs({ userId: "u" }, page), "jobs_by_user (user_id=?)"],
    ["… oldest first", listJobs({ userId: "u" }, { ...page, ascending: true }), "jobs_by_user (user_id=?)"],
    [
      "… by status",
      listJobs({ userId: "u", status: "pending" }, page),
      "jobs_by_user_status (user_id=? AND status=?)",
    ],
    [
      "… by group",
      listJobs({ userId: "u", containerGroupId: "g" }, page),
      "jobs_by_user_group (user_id=? AND container_group_id=?)",
    ],
    [
      "… by group and status",
      listJobs({ userId: "u", containerGroupId: "g", status: "running" }, page),
      "jobs_by_user_group_status (user_id=? AND container_group_id=? AND status=?)",
    ],
    ["a user's job", readJobOf("u", "j"), "jobs_id (id=?)"],
    ["any job", readJobOf(null, "j"), "jobs_id (id=?)"],
    ["the queue of a user's job", readQueueOf("u", "j"), "jobs_id (id=?)"],
    ["the queue of any job", readQueueOf(null, "j"), "jobs_id (id=?)"],
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

test("a new token searches its user, and counts his tokens by their index", async () => {
  expect(await planOf(insertToken(token))).toEqual([
    "SEARCH users USING COVERING INDEX sqlite_autoindex_users_1 (id=?)",
    "SCALAR SUBQUERY 1",
    "SEARCH tokens USING COVERING INDEX tokens_by_user (user_id=?)",
  ]);
});

test("the admin's list walks the table in order, whatever the filter, and sorts nothing", async () => {
  for (const filter of [{}, { status: "failed" as const }, { containerGroupId: "g" }]) {
    expect(await planOf(listJobs({ userId: null, ...filter }, page))).toEqual(["SCAN jobs"]);
  }
});
