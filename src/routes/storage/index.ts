/** Managed storage for agents, each call under the lease of its job. */
import { createRouter } from "../operation.ts";
import { grantAccess } from "./grants.ts";

export const storage = createRouter().openapiRoutes([grantAccess]);
