import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { settings } from "../support/settings.ts";

const id = randomUUID();
const routes: [string, string][] = [
  ["POST", "/jobs"],
  ["POST", "/jobs/batch"],
  ["GET", "/jobs"],
  ["GET", `/jobs/${id}`],
  ["DELETE", `/jobs/${id}`],
  ["DELETE", `/jobs/container-groups/${id}`],
  ["GET", `/work?machine_id=m&container_group_id=${id}`],
  ["POST", `/jobs/${id}/heartbeat`],
  ["POST", `/jobs/${id}/completed`],
  ["POST", `/jobs/${id}/failed`],
  ["POST", "/scaling-rules"],
  ["PATCH", `/scaling-rules/${id}`],
  ["GET", "/scaling-rules"],
  ["GET", `/scaling-rules/${id}`],
  ["DELETE", `/scaling-rules/${id}`],
  ["GET", "/users/me"],
  ["POST", "/users"],
  ["POST", `/users/${id}/token`],
  ["DELETE", "/jobs"],
  ["DELETE", "/users"],
  ["DELETE", "/scaling-rules"],
];
const admins = routes.filter(
  ([method, path]) => /^\/users(\/[^m]|$)/.test(path) || (method === "DELETE" && /^\/[a-z-]+$/.test(path)),
);

promise(
  "1",
  "Every route but docs, health and preflight asks for a credential; admin routes for the admin's",
  () => {
    it.each(routes)("%s %s: none is a 401, a wrong one a 403, half a one a 400", async (method, path) => {
      const body = method === "GET" || method === "DELETE" ? undefined : {};
      expectError(await call(method, path, { body }), 401);
      expectError(await call(method, path, { body, key: "wrong" }), 403);
      expectError(await call(method, path, { body, headers: { "Salad-Api-Key": "k" } }), 400);
      expectError(await call(method, path, { body, headers: { Authorization: "Bearer a.b.c" } }), 400);
    });

    it("there are five admin routes", () => {
      expect(admins).toHaveLength(5);
    });

    it.each(admins)("%s %s: any other credential is a 403", async (method, path) => {
      const body = method === "POST" ? { username: "x", org_name: "x", project_name: "x" } : undefined;
      expectError(await call(method, path, { body, key: settings.alice.key }), 403);
    });
  },
);
