import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { needSalad, promise } from "../support/promise.ts";
import { createGroup, mintToken, nodeIdentity, nodeOf, saladKey } from "../support/salad.ts";
import type { Job } from "../support/wire.ts";

promise("1", "Bearer <IMDS token> with Salad-Project: a node of that organization", () => {
  it("without Salad-Project it is a 400", async () => {
    const headers = { Authorization: "Bearer a.b.c" };
    expectError(await call("GET", "/work?machine_id=m&container_group_id=g", { headers }), 400);
  });

  it("an invalid one is a 403", async (context) => {
    const salad = needSalad(context);
    const { project } = salad;
    const group = await createGroup(salad);
    const { machineId, token } = await nodeOf(salad, group);
    const query = new URLSearchParams({ machine_id: machineId, container_group_id: group.id });
    const [head, claims, signature] = token.split(".") as [string, string, string];
    const other = signature.startsWith("A") ? "B" : "A";
    for (const wrong of [
      "worthless",
      `${head}.${claims}.${other}${signature.slice(1)}`,
      `${head}.${claims}.`,
    ]) {
      const headers = nodeIdentity(wrong, project);
      expectError(await call("GET", `/work?${query}`, { headers }), 403);
    }
  });

  it("expired, not yet valid, signed by nobody's key or with another algorithm: a 403", async (context) => {
    const salad = needSalad(context);
    const group = await createGroup(salad);
    for (const wish of [
      ...[{ expiresIn: -120 }, { notBeforeIn: 120 }, { claims: { aud: randomUUID() } }],
      ...["unknown", "forged", "none", "hmac", "rsa"].map((signedBy) => ({ signedBy })),
      ...["sub", "aud", "exp", "salad_organization_name", "salad_workload_id"].map((name) => ({
        claims: { [name]: null },
      })),
    ]) {
      // The first good one tells the API the organization's id.
      const good = await mintToken(salad, group, { machineId: "m1" });
      const ask = (token: string) =>
        call("GET", `/work?machine_id=m1&container_group_id=${group.id}`, {
          headers: nodeIdentity(token, salad.project),
        });
      expect((await ask(good)).status).toBe(200);
      expectError(await ask(await mintToken(salad, group, { machineId: "m1", ...wish })), 403);
    }
  });

  it("it claims and reports, as the same user as the organization's Salad key", async (context) => {
    const salad = needSalad(context);
    const { apiKey, organization, project } = salad;
    const group = await createGroup(salad);
    const person = saladKey(apiKey, organization, project);
    const submission = { command: "true", container_group_id: group.id, sync: {} };
    const submitted = await call<Job>("POST", "/jobs", { headers: person, body: submission });
    expect(submitted.status, submitted.text).toBe(202);

    const { machineId, token } = await nodeOf(salad, group);
    const headers = nodeIdentity(token, project);
    const holder = { machine_id: machineId, container_group_id: group.id };
    const claimed = await call<Job[]>("GET", `/work?${new URLSearchParams(holder)}`, { headers });
    expect(claimed.status, claimed.text).toBe(200);
    expect(claimed.body).toMatchObject([
      { id: submitted.body.id, user_id: submitted.body.user_id, status: "running", machine_id: machineId },
    ]);
    const path = `/jobs/${submitted.body.id}`;
    const beat = await call("POST", `${path}/heartbeat`, { headers, body: holder });
    expect(beat.body).toMatchObject({ status: "running" });
    expect((await call("POST", `${path}/completed`, { headers, body: holder })).status).toBe(200);
    expect((await call<Job>("GET", path, { headers: person })).body).toMatchObject({ status: "completed" });
  });
});
