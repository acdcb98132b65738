import { ApiError } from "../../middleware/api-error.ts";
import type { Access, Granter } from "../../storage/granter.ts";

/** 400 for a write that no URL of this deployment would carry. */
export function checkSize(granter: Granter, access: Access, field: string): void {
  if (access.method === "GET" || access.size <= granter.maxBytes) return;
  const problem = `is more than one URL of this deployment carries (${granter.maxBytes} bytes): upload it in parts`;
  throw new ApiError("invalid_request", { problem, field });
}
