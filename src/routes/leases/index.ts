/** Leases of our agents; old workers use the heartbeat of each job. */
import { createRouter } from "../operation.ts";
import { renewLeases } from "./renew.ts";

export const leases = createRouter().openapiRoutes([renewLeases]);
