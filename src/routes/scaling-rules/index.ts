/** How container groups grow and shrink with their queues. */
import { createRouter } from "../operation.ts";
import { clearAllScalingRules } from "./clear.ts";
import { createScalingRule } from "./create.ts";
import { deleteScalingRule } from "./delete.ts";
import { evaluateScalingRule } from "./evaluate.ts";
import { listScalingEvents } from "./events.ts";
import { getScalingRule } from "./get.ts";
import { listAllScalingRules } from "./list.ts";
import { updateScalingRule } from "./update.ts";

export const scalingRules = createRouter().openapiRoutes([
  createScalingRule,
  listAllScalingRules,
  getScalingRule,
  updateScalingRule,
  deleteScalingRule,
  listScalingEvents,
  evaluateScalingRule,
  clearAllScalingRules,
]);
