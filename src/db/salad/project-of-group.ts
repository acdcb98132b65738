import type { Statement } from "../statement.ts";

/** Which project a group of the user is of, as far as Salad has told. Index: the key of salad_groups. */
export function readProjectOfGroup(userId: string, containerGroupId: string): Statement {
  return {
    sql: "SELECT project_name FROM salad_groups WHERE user_id = ?1 AND container_group_id = ?2",
    params: [userId, containerGroupId],
  };
}
export interface ProjectRecord {
  project_name: string;
}
