/** Agents themselves, whatever they hold. */
import { createRouter } from "../operation.ts";
import { describeAgent } from "./me.ts";
import { openSocket } from "./socket.ts";

export const agents = createRouter().openapiRoutes([describeAgent, openSocket]);
