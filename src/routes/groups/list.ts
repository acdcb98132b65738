import { createRoute } from "@hono/zod-openapi";
import { GroupList, GroupListQuery } from "../../contract/index.ts";
import { type GroupRecord, listGroups, readGroup } from "../../db/groups/overview.ts";
import { prepare } from "../../db/prepare.ts";
import { configOf } from "../../env.ts";
import { answer, operation, refusals } from "../operation.ts";
import { presentGroup } from "./present.ts";
import { whoseGroups } from "./which.ts";

/** Jobs counted per status: a page of 100 groups reads half a million rows of an index at most. */
const countLimit = 1_000;

const route = createRoute({
  method: "get",
  path: "/container-groups",
  tags: ["Container groups"],
  access: "people" as const,
  summary: "Container groups that have jobs, a pause or a scaling rule, in the order of their ids",
  request: { query: GroupListQuery },
  responses: { 200: answer(GroupList, "One page"), ...refusals(400, 403) },
});

export const listContainerGroups = operation(route, async (c) => {
  const { user_id, cursor, limit } = c.req.valid("query");
  const userId = whoseGroups(c, user_id);
  const ids = await prepare(c.env.DB, listGroups(userId, cursor ?? "", limit + 1)).all<{ id: string }>();
  const keys = ids.results.slice(0, limit).map(({ id }) => ({ userId, containerGroupId: id }));
  const read = keys.map(({ containerGroupId }) =>
    prepare(c.env.DB, readGroup(userId, containerGroupId, countLimit)),
  );
  const records = read.length > 0 ? await c.env.DB.batch<GroupRecord>(read) : [];
  const scales = configOf(c.env).salad.apiKey !== null;
  const groups = keys.flatMap((key, at) => {
    const record = records[at]?.results[0];
    return record ? [presentGroup(key, record, { countLimit, scales })] : [];
  });
  const next_cursor = ids.results.length > limit ? (keys.at(-1)?.containerGroupId ?? null) : null;
  return c.json({ _count: groups.length, groups, next_cursor }, 200);
});
