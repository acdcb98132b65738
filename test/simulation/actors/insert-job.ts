/** A job as a submission leaves it in D1. */
import type { GroupKey } from "../../../src/group/protocol.ts";
import type { SimulatedD1 } from "../world/d1.ts";

export function insertJob(
  d1: SimulatedD1,
  key: GroupKey,
  id: string,
  fields: { created: number } & Record<string, string | number | null>,
): void {
  const row = {
    id,
    user_id: key.userId,
    container_group_id: key.containerGroupId,
    command: "run",
    arguments: "[]",
    environment: "{}",
    sync: "{}",
    max_failures: 3,
    heartbeat_interval: 30,
    ...fields,
  };
  const names = Object.keys(row);
  d1.database.all(
    `INSERT INTO jobs (${names.join(", ")}) VALUES (${names.map(() => "?").join(", ")})`,
    Object.values(row),
  );
}
