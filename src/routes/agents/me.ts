import { createRoute } from "@hono/zod-openapi";
import { AgentIdentity, AgentQuery } from "../../contract/index.ts";
import { configOf, hasManagedStorage } from "../../env.ts";
import { answer, operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "get",
  path: "/agents/me",
  tags: ["Agents"],
  access: "agents" as const,
  summary: "Whom an agent's credential speaks for; changes nothing",
  request: { query: AgentQuery },
  responses: { 200: answer(AgentIdentity, "Who it is"), ...refusals(400) },
});

export const describeAgent = operation(route, (c) => {
  const { userId, orgName = null, projectName = null, role } = c.var.principal;
  const managed_storage = hasManagedStorage(configOf(c.env));
  return c.json(
    { user_id: userId, org_name: orgName, project_name: projectName, role, managed_storage },
    200,
  );
});
