import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { settings } from "../support/settings.ts";
import { isoTime, type User } from "../support/wire.ts";

const key = settings.adminKey;

promise("2", "POST /users and /users/:id/token (admin): 201; an existing name is a 400", () => {
  it("a user, and a token of his that works", async () => {
    const username = `conformance-${randomUUID()}`;
    const user = await call<User>("POST", "/users", { key, body: { username } });
    expect(user.status, user.text).toBe(201);
    expect(user.body).toMatchObject({ username, created: expect.stringMatching(isoTime) });

    const body = { org_name: username, project_name: "default" };
    const token = await call<{ token: string }>("POST", `/users/${user.body.id}/token`, { key, body });
    expect(token.status, token.text).toBe(201);
    const me = await call<User>("GET", "/users/me", { key: token.body.token });
    expect(me.body).toEqual(user.body);
  });

  it("an existing name is a 400", async () => {
    expectError(await call("POST", "/users", { key, body: { username: settings.alice.username } }), 400);
  });

  it("no name is a 400; a token of an unknown user a 404, without names a 400", async () => {
    expectError(await call("POST", "/users", { key, body: {} }), 400);
    const body = { org_name: "x", project_name: "x" };
    expectError(await call("POST", `/users/${randomUUID()}/token`, { key, body }), 404);
    expectError(await call("POST", `/users/${settings.alice.id}/token`, { key, body: {} }), 400);
  });
});
