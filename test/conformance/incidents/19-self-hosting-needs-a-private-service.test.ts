import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { settings } from "../support/settings.ts";

promise("7.19", "The admin's key alone makes a working deployment: user, token, job, claim, end", () => {
  it("from nothing to a completed job", async () => {
    const key = settings.adminKey;
    const username = `conformance-${randomUUID()}`;
    const user = await call<{ id: string }>("POST", "/users", { key, body: { username } });
    const names = { org_name: username, project_name: "default" };
    const made = await call<{ token: string }>("POST", `/users/${user.body.id}/token`, { key, body: names });
    const queue = openQueue(made.body.token);
    const { id } = await queue.submit();
    expect((await queue.claim("m1"))?.id).toBe(id);
    expect((await queue.completed(id, "m1")).status).toBe(200);
    expect(await queue.job(id)).toMatchObject({ status: "completed", user_id: user.body.id });
  });
});
