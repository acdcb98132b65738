import type { TokenInfo } from "../../contract/index.ts";
import type { ListedTokenRecord } from "../../db/users/tokens.ts";
import { iso, isoOrNull } from "../times.ts";

export function presentToken(record: ListedTokenRecord): TokenInfo {
  return {
    id: record.id,
    name: record.name,
    role: record.role,
    container_group_id: record.container_group_id,
    org_name: record.org_name,
    project_name: record.project_name,
    created: iso(record.created),
    expires: isoOrNull(record.expires),
  };
}
