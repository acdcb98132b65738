import type { Statement } from "../statement.ts";

/**
 * What the Salad API has just listed of a project, for whoever could list it: 100 groups are one statement. A group that has moved, or was
 * renamed, is updated; of two lists the later one counts, in whichever order they arrive. Groups that are listed no more stay: their ids are
 * never given to others.
 *
 * Index: the key of salad_groups.
 */
export function recordGroups(
  userId: string,
  projectName: string,
  groups: readonly { id: string; name: string }[],
  nowMs: number,
): Statement {
  return {
    // `WHERE true`: without it SQLite reads ON CONFLICT as a join's ON.
    sql: `INSERT INTO salad_groups (user_id, container_group_id, project_name, container_group_name, seen)
          SELECT ?2, value ->> '$.id', ?3, value ->> '$.name', ?4 FROM json_each(?1) WHERE true
          ON CONFLICT (user_id, container_group_id) DO UPDATE SET
            project_name = excluded.project_name, container_group_name = excluded.container_group_name, seen = excluded.seen
          WHERE excluded.seen >= seen`,
    params: [JSON.stringify(groups.map(({ id, name }) => ({ id, name }))), userId, projectName, nowMs],
  };
}
