/** The statements about rules and about Salad's groups: no scan, no sort, and the later list of groups counts. */
import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test } from "vitest";
import { prepare } from "../../../src/db/prepare.ts";
import { recordGroups } from "../../../src/db/salad/groups.ts";
import {
  deleteRule,
  insertRule,
  listRules,
  readOwners,
  readRule,
  updateRule,
} from "../../../src/db/scaling/rules.ts";
import type { Statement } from "../../../src/db/statement.ts";

async function planOf({ sql, params }: Statement): Promise<string[]> {
  const explain = prepare(env.DB, { sql: `EXPLAIN QUERY PLAN ${sql}`, params });
  return (await explain.all<{ detail: string }>()).results.map((row) => row.detail);
}

const page = { limit: 100, offset: 0 };
const change = {
  minReplicas: 1,
  maxReplicas: null,
  idleThresholdSeconds: null,
  jobsPerReplica: null,
  scaleUpCooldown: null,
  scaleDownCooldown: null,
  paused: null,
};
const key = "sqlite_autoindex_scaling_rules_1";

describe("plans", () => {
  test.each<[string, Statement, string]>([
    ["a rule", readRule("u", "g"), `${key} (user_id=? AND container_group_id=?)`],
    ["its change", updateRule("u", "g", change, 0), `${key} (user_id=? AND container_group_id=?)`],
    ["its removal", deleteRule("u", "g"), `${key} (user_id=? AND container_group_id=?)`],
    ["a user's rules", listRules("u", page), `${key} (user_id=?)`],
  ])("%s searches the key, and sorts nothing", async (_name, statement, index) => {
    const plan = await planOf(statement);
    expect(plan).toHaveLength(1);
    expect(plan[0]).toMatch(/^SEARCH /);
    expect(plan[0]).toContain(index);
  });

  test("the admin's walk the key in its order", async () => {
    expect(await planOf(listRules(null, page))).toEqual([`SCAN scaling_rules USING INDEX ${key}`]);
    expect(await planOf(readOwners("g"))).toEqual([`SCAN scaling_rules USING COVERING INDEX ${key}`]);
  });

  test("a new rule looks at the keys of the others, a list of groups at nothing", async () => {
    const rule = { userId: "u", containerGroupId: "g", orgName: "o", projectName: "p" };
    const bounds = { minReplicas: 0, maxReplicas: 1, idleThresholdSeconds: 0 };
    const extras = { jobsPerReplica: 1, scaleUpCooldown: 0, scaleDownCooldown: 0, paused: false };
    expect(
      await planOf(insertRule({ ...rule, ...bounds, ...extras, containerGroupName: "n", created: 0 })),
    ).toEqual([
      "SCAN CONSTANT ROW",
      "SCALAR SUBQUERY 1",
      // Rules are made rarely, and are a few thousand at most.
      `SCAN scaling_rules USING COVERING INDEX ${key}`,
    ]);
    const plan = await planOf(recordGroups("u", "p", [{ id: "g", name: "n" }], 0));
    expect(plan).toEqual(["SCAN json_each VIRTUAL TABLE INDEX 1:"]);
  });
});

describe("recordGroups", () => {
  let user = 0;
  let userId: string;
  beforeEach(() => {
    userId = `user-${++user}`;
  });
  const record = (project: string, names: Record<string, string>, nowMs: number, of = userId) => {
    const groups = Object.entries(names).map(([id, name]) => ({ id, name, replicas: 1, status: "running" }));
    return prepare(env.DB, recordGroups(of, project, groups, nowMs)).run();
  };
  const known = async (of = userId) => {
    const sql = "SELECT * FROM salad_groups WHERE user_id = ? ORDER BY container_group_id";
    const { results } = await env.DB.prepare(sql).bind(of).all<Record<string, unknown>>();
    return results.map((row) => [
      row.container_group_id,
      row.project_name,
      row.container_group_name,
      row.seen,
    ]);
  };

  test("keeps what was listed, of each project; none is fine", async () => {
    await record("p", {}, 1);
    await record("p", { a: "first", b: "second" }, 2);
    await record("q", { c: "third" }, 3);
    expect(await known()).toEqual([
      ["a", "p", "first", 2],
      ["b", "p", "second", 2],
      ["c", "q", "third", 3],
    ]);
  });

  test("a group that moved, or was renamed, is updated", async () => {
    await record("p", { a: "first", b: "second" }, 1);
    await record("q", { a: "renamed" }, 2);
    expect(await known()).toEqual([
      ["a", "q", "renamed", 2],
      ["b", "p", "second", 1],
    ]);
  });

  test("an older list that arrives later changes nothing", async () => {
    await record("q", { a: "new" }, 2);
    await record("p", { a: "old" }, 1);
    expect(await known()).toEqual([["a", "q", "new", 2]]);
  });

  test("another user's are another's", async () => {
    await record("p", { a: "ours" }, 1);
    await record("q", { a: "theirs" }, 2, `${userId}-another`);
    expect(await known()).toEqual([["a", "p", "ours", 1]]);
  });

  test("100 groups with long names are one statement", async () => {
    const names = Object.fromEntries(
      Array.from({ length: 100 }, (_, i) => [crypto.randomUUID(), `${i}-${"n".repeat(60)}`]),
    );
    expect((await record("p", names, 1)).meta.changes).toBe(100);
    expect(await known()).toHaveLength(100);
  });
});
