import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { needSalad, promise } from "../support/promise.ts";
import { saladKey } from "../support/salad.ts";
import type { Job, User } from "../support/wire.ts";

promise("1", "Salad-Api-Key with organization and project: a person or script of that organization", () => {
  it("without the other two headers it is a 400", async () => {
    const {
      "Salad-Organization": organization,
      "Salad-Project": project,
      ...key
    } = saladKey("k", "acme", "p");
    for (const half of [
      key,
      { ...key, "Salad-Organization": organization },
      { ...key, "Salad-Project": project },
    ]) {
      expectError(await call("GET", "/users/me", { headers: half }), 400);
    }
  });

  it("the first authenticated request creates the user, named as the organization", async (context) => {
    const { apiKey, organization, project } = needSalad(context);
    const headers = saladKey(apiKey, organization, project);
    const me = await call<User>("GET", "/users/me", { headers });
    expect(me.status, me.text).toBe(200);
    expect(me.body.username).toBe(organization);
    expect((await call<User>("GET", "/users/me", { headers })).body).toEqual(me.body);
  });

  it("it submits, reads and cancels jobs", async (context) => {
    const { apiKey, organization, project } = needSalad(context);
    const headers = saladKey(apiKey, organization, project);
    const body = { command: "true", container_group_id: "salad-key-submits", sync: {} };
    const job = await call<Job>("POST", "/jobs", { headers, body });
    expect(job.status, job.text).toBe(202);
    expect((await call<Job>("GET", `/jobs/${job.body.id}`, { headers })).body).toMatchObject({
      status: "pending",
    });
    expect((await call("DELETE", `/jobs/${job.body.id}`, { headers })).status).toBe(202);
  });

  it("an invalid key, or one of another organization, is a 403", async (context) => {
    const { apiKey, otherApiKey, organization, otherOrganization, project } = needSalad(context);
    for (const [key, name] of [
      ["wrong", organization],
      [otherApiKey, organization],
      [apiKey, otherOrganization],
    ] as const) {
      expectError(await call("GET", "/users/me", { headers: saladKey(key, name, project) }), 403);
    }
  });

  it("is no admin", async (context) => {
    const { apiKey, organization, project } = needSalad(context);
    const headers = saladKey(apiKey, organization, project);
    expectError(await call("POST", "/users", { headers, body: { username: "by-salad-key" } }), 403);
  });
});
