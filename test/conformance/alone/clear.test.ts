import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { needDestructive, promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { openRules } from "../support/rules.ts";
import { settings } from "../support/settings.ts";

const key = settings.adminKey;

promise(
  "2",
  "DELETE /jobs, /scaling-rules, /users (admin): 204, all is cleared; the admin and its key stay",
  () => {
    it("in turn", async (context) => {
      needDestructive(context);
      const username = `conformance-${randomUUID()}`;
      const user = await call<{ id: string }>("POST", "/users", { key, body: { username } });
      const names = { org_name: username, project_name: "default" };
      const made = await call<{ token: string }>("POST", `/users/${user.body.id}/token`, {
        key,
        body: names,
      });
      const queue = openQueue(made.body.token);
      const { id } = await queue.submit();
      const rules = settings.salad && (await openRules(settings.salad));
      if (rules) expect((await rules.create()).status).toBe(201);

      expect((await call("DELETE", "/jobs", { key })).status).toBe(204);
      expectError(await call("GET", `/jobs/${id}`, { key }), 404);
      expect((await call<{ _count: number }>("GET", "/jobs", { key })).body._count).toBe(0);
      expect(await queue.claim("m1")).toBeUndefined();

      expect((await call("DELETE", "/scaling-rules", { key })).status).toBe(204);
      if (rules) expectError(await rules.get(), 404);

      expect((await call("DELETE", "/users", { key })).status).toBe(204);
      expectError(await call("GET", "/users/me", { key: made.body.token }), 403);
      expect((await call("GET", "/users/me", { key })).status).toBe(200);
      expect((await call("POST", "/users", { key, body: { username } })).status).toBe(201);
    });
  },
);
