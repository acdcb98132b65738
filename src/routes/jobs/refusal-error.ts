import type { RefusalReason } from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";

/** Why a group's object did not do what was asked, as the API's error. */
export function refusalError(reason: RefusalReason | "unavailable"): ApiError {
  switch (reason) {
    case "unavailable":
      return new ApiError("unavailable", {});
    case "unknown_job":
      return new ApiError("not_found", { what: "job" });
    default:
      return new ApiError("conflict", { reason });
  }
}
