/** Container groups: what goes on in a queue, and its pause. */
import { createRouter } from "../operation.ts";
import { getContainerGroup } from "./get.ts";
import { listContainerGroups } from "./list.ts";
import { pause, resume } from "./pause.ts";

export const groups = createRouter().openapiRoutes([listContainerGroups, getContainerGroup, pause, resume]);
