/** Pause and resume: D1 decides, the group's object is told (docs/operations.md). */
import { createRoute } from "@hono/zod-openapi";
import type { Context } from "hono";
import { GroupPause, GroupQuery } from "../../contract/index.ts";
import { countAvailable, pauseGroup, resumeGroup } from "../../db/groups/pause.ts";
import { prepare } from "../../db/prepare.ts";
import { maxSockets } from "../../group/sockets.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import { groupOf } from "../../middleware/group.ts";
import { describeError, log } from "../../middleware/log.ts";
import { answer, operation, refusals } from "../operation.ts";
import { scaleUp } from "../scale-up.ts";
import { iso } from "../times.ts";
import { GroupParams, whichGroup } from "./which.ts";

const pauseRoute = createRoute({
  method: "post",
  path: "/container-groups/{id}/pause",
  tags: ["Container groups"],
  access: "people" as const,
  summary: "Hand out nothing new; what runs goes on. Repeatable, also before the group has jobs",
  request: { params: GroupParams, query: GroupQuery },
  responses: {
    200: answer(GroupPause, "Paused: from this answer on no attempt begins"),
    ...refusals(400, 403, 404),
  },
});

export const pause = operation(pauseRoute, async (c) => {
  const key = whichGroup(c, c.req.valid("param").id, c.req.valid("query").user_id);
  const statement = pauseGroup(key.userId, key.containerGroupId, Date.now());
  const record = await prepare(c.env.DB, statement).first<{ paused: number }>();
  if (!record) throw new ApiError("not_found", { what: "user" });
  tell(c, groupOf(c, key).paused(key));
  return c.json({ container_group_id: key.containerGroupId, paused: iso(record.paused) }, 200);
});

const resumeRoute = createRoute({
  method: "post",
  path: "/container-groups/{id}/resume",
  tags: ["Container groups"],
  access: "people" as const,
  summary: "Hand out jobs again, wake agents, and let the autoscaler look. Repeatable",
  request: { params: GroupParams, query: GroupQuery },
  responses: { 200: answer(GroupPause, "Not paused"), ...refusals(400, 403, 404) },
});

export const resume = operation(resumeRoute, async (c) => {
  const key = whichGroup(c, c.req.valid("param").id, c.req.valid("query").user_id);
  const { userId, containerGroupId } = key;
  const [, counted] = await c.env.DB.batch<{ available: number }>([
    prepare(c.env.DB, resumeGroup(userId, containerGroupId)),
    prepare(c.env.DB, countAvailable(userId, containerGroupId, Date.now(), maxSockets)),
  ]);
  const resumed = async () => {
    const { unattended } = await groupOf(c, key).resumed(key, counted?.results[0]?.available ?? 0);
    if (unattended) await scaleUp(c, key);
  };
  tell(c, resumed());
  return c.json({ container_group_id: containerGroupId, paused: null }, 200);
});

/** After the answer; what is lost costs a poll. */
function tell(c: Context<AppEnv>, told: Promise<void>): void {
  const noted = told.catch((error: unknown) =>
    log("warning", "pause_hint_lost", { error: describeError(error) }),
  );
  c.executionCtx.waitUntil(noted);
}
