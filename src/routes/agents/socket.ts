import { createRoute } from "@hono/zod-openapi";
import { SocketQuery } from "../../contract/index.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { ownKey, socketOf } from "../../middleware/group.ts";
import { operation, refusals } from "../operation.ts";

const route = createRoute({
  method: "get",
  path: "/agents/socket",
  tags: ["Agents"],
  access: "agents" as const,
  summary: "An agent's WebSocket to its queue: told at once of work, of ended leases, of draining",
  request: { query: SocketQuery },
  responses: { 101: { description: "Open; its messages: docs/sockets.md" }, ...refusals(400, 426, 503) },
});

export const openSocket = operation(route, async (c) => {
  if (c.req.header("upgrade")?.toLowerCase() !== "websocket") throw new ApiError("upgrade_required", {});
  const query = c.req.valid("query");
  const opened = await socketOf(c, ownKey(c, query.container_group_id), query);
  if (!opened) throw new ApiError("unavailable", {});
  return opened;
});
