import { createRoute } from "@hono/zod-openapi";
import { EvaluationQuery, ScalingEvaluation } from "../../contract/index.ts";
import { configOf } from "../../env.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { Scaler } from "../../scaling/scaler.ts";
import { scalingPorts } from "../../scaling/worker-ports.ts";
import { answer, operation, refusals } from "../operation.ts";
import { noSuchRule, ownerOf, RuleParams } from "./owner.ts";
import { presentDecision } from "./present-decision.ts";

const route = createRoute({
  method: "post",
  path: "/scaling-rules/{id}/evaluate",
  tags: ["Scaling rules"],
  access: "people" as const,
  summary: "Let the autoscaler look at a rule now, or with `dry_run` tell what it would do",
  description:
    "SaladCloud is asked with the deployment's key, as by the autoscaler itself; 403 where there is none.",
  request: { params: RuleParams, query: EvaluationQuery },
  responses: { 200: answer(ScalingEvaluation, "The decision"), ...refusals(400, 403, 404) },
});

export const evaluateScalingRule = operation(route, async (c) => {
  const { id } = c.req.valid("param");
  const { dry_run, ...owner } = c.req.valid("query");
  // Whoever sends {"dry_run": true} shall not have it done. Clients that send {} with each POST ask for nothing by it.
  if (c.req.raw.body !== null && Number(c.req.header("Content-Length") ?? "{}?".length) > "{}".length) {
    throw new ApiError("invalid_request", { problem: "takes no body: dry_run is a parameter of the URL" });
  }
  const userId = await ownerOf(c, id, owner);
  if (configOf(c.env).salad.apiKey === null) {
    throw new ApiError("forbidden", { problem: "this deployment scales nothing: it has no SALAD_API_KEY" });
  }
  const key = { userId, containerGroupId: id };
  const isDryRun = dry_run === "true";
  const decision = await new Scaler(scalingPorts(c.env)).evaluate(key, isDryRun);
  if (decision === null) throw noSuchRule();
  return c.json({ ...presentDecision(decision), dry_run: isDryRun }, 200);
});
