/** Where nodes get their work. */
import { createRouter } from "../operation.ts";
import { claimWork } from "./claim.ts";

export const work = createRouter().openapiRoutes([claimWork]);
