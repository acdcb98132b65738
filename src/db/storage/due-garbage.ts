/** Places in the bucket that belong to nobody any more. */
import type { Statement } from "../statement.ts";

/** Those due by then, oldest first. Index: storage_garbage_due. */
export function readGarbage(dueUntilMs: number, limit: number): Statement {
  return {
    sql: "SELECT prefix, due FROM storage_garbage WHERE due <= ?1 ORDER BY due LIMIT ?2",
    params: [dueUntilMs, limit],
  };
}

/** A row of `readGarbage`. */
export interface GarbageRecord {
  prefix: string;
  due: number;
}

/** It is empty, unless it came up anew meanwhile. Index: the key of storage_garbage. */
export function forgetGarbage({ prefix, due }: GarbageRecord): Statement {
  return { sql: "DELETE FROM storage_garbage WHERE prefix = ?1 AND due = ?2", params: [prefix, due] };
}
