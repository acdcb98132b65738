import { expect, test } from "vitest";
import type { Job, JobList, User } from "../../../src/contract/index.ts";
import { adminKey, send, signUp, submit } from "./client.ts";

test("the admin is a user like any other, present from the first request", async () => {
  const { status, body } = await send<User>("GET", "/users/me", { key: adminKey });
  expect(status).toBe(200);
  expect(body).toMatchObject({ username: "admin", created: expect.stringMatching(/^\d{4}-.*\.\d{3}Z$/) });
});

test("a user is told its own name", async () => {
  const dora = await signUp("dora");
  const { body } = await send<User>("GET", "/users/me", { key: dora.key });
  expect(body).toEqual({ id: dora.id, username: "dora", created: expect.any(String) });
});

test("a name is taken once", async () => {
  await signUp("erin");
  const { status, body } = await send("POST", "/users", { key: adminKey, body: { username: "erin" } });
  expect(status).toBe(400);
  expect(body).toMatchObject({ error: "invalid_request", field: "username" });
  expect((await send("POST", "/users", { key: adminKey, body: { username: "admin" } })).status).toBe(400);
});

test("a token needs an existing user, an organization and a project", async () => {
  const names = { org_name: "acme", project_name: "default" };
  expect((await send("POST", "/users/nobody/token", { key: adminKey, body: names })).status).toBe(404);
  const { id } = await signUp("frank");
  const { status, body } = await send("POST", `/users/${id}/token`, {
    key: adminKey,
    body: { org_name: "acme" },
  });
  expect(status).toBe(400);
  expect(body.field).toBe("project_name");
});

test("clearing jobs leaves users, clearing users leaves the admin and its key", async () => {
  const gina = await signUp("gina");
  const job = await submit(gina.key);

  expect((await send("DELETE", "/jobs", { key: adminKey })).status).toBe(204);
  expect((await send<Job>("GET", `/jobs/${job.id}`, { key: gina.key })).status).toBe(404);
  expect((await send<JobList>("GET", "/jobs", { key: adminKey })).body).toEqual({
    _count: 0,
    jobs: [],
    next_cursor: null,
  });

  expect((await send("DELETE", "/users", { key: adminKey })).status).toBe(204);
  expect((await send("GET", "/users/me", { key: gina.key })).status).toBe(403);
  expect((await send<User>("GET", "/users/me", { key: adminKey })).body.username).toBe("admin");
  await signUp("gina");
});
