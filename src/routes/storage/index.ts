/** Managed storage for agents, each call under the lease of its job. */
import { createRouter } from "../operation.ts";
import { grantAccess } from "./grants.ts";
import { deleteUnderLease, listUnderLease } from "./lists.ts";
import { recordUploaded } from "./outputs.ts";
import { abortUnderLease, beginUnderLease, completeUnderLease } from "./uploads.ts";

export const storage = createRouter().openapiRoutes([
  grantAccess,
  listUnderLease,
  deleteUnderLease,
  recordUploaded,
  beginUnderLease,
  completeUnderLease,
  abortUnderLease,
]);
