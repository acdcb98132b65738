/** Container groups: what goes on in a queue, and its pause. */
import { createRouter } from "../operation.ts";
import { pause, resume } from "./pause.ts";

export const groups = createRouter().openapiRoutes([pause, resume]);
