import { createRoute } from "@hono/zod-openapi";
import { z } from "zod";
import { answer, createRouter, operation } from "./operation.ts";

const route = createRoute({
  method: "get",
  path: "/health",
  tags: ["Health"],
  access: "anyone" as const,
  summary: "Whether the API answers; needs no credential",
  responses: { 200: answer(z.object({ status: z.literal("ok").describe("That it answers") }), "It does") },
});

const getHealth = operation(route, (c) => c.json({ status: "ok" as const }, 200));

export const health = createRouter().openapiRoutes([getHealth]);
