/** Three ways in, against a SaladCloud over HTTP: keys and tokens as Salad has them, Salad falling silent, its keys rotating. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalApi, startLocalApi } from "../../tools/local-api.ts";
import { SimulatedSalad } from "../salad/simulated-salad.ts";

const organization = "e2e-acme";
let directory: string;
let salad: SimulatedSalad;
let api: LocalApi;
let groupId: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-e2e-"));
  salad = await SimulatedSalad.start();
  salad.controls.addOrganization({ name: organization, projects: ["default", "other"], keys: ["salad-key"] });
  groupId = salad.controls.addGroup({ organization, name: "fleet" }).id;
  const vars = { SALAD_API_URL: salad.apiUrl, SALAD_JWKS_URL: salad.jwksUrl };
  api = await startLocalApi({ persistTo: join(directory, "api"), vars });
});
afterAll(async () => {
  await api?.stop();
  await salad?.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

const person = (key = "salad-key", project = "default") => ({
  "Salad-Api-Key": key,
  "Salad-Organization": organization,
  "Salad-Project": project,
});
const node = (wish: { machineId: string; signedBy?: "newer" | "forged" }, project = "default") => {
  const { jwt } = salad.controls.mintToken({ organization, containerGroupId: groupId, ...wish });
  return { Authorization: `Bearer ${jwt}`, "Salad-Project": project };
};

async function call(method: string, path: string, headers: Record<string, string>, body?: unknown) {
  const sent = body === undefined ? null : JSON.stringify(body);
  const response = await fetch(`${api.url}${path}`, { method, headers, body: sent });
  return {
    status: response.status,
    headers: response.headers,
    body: JSON.parse((await response.text()) || "null"),
  };
}
const work = (machineId: string) => `/work?machine_id=${machineId}&container_group_id=${groupId}`;
const keyQuestions = () => salad.controls.listRequests().filter(({ key }) => key === "salad-key").length;

test("a person, a node of the fleet and a token are one user; each is asked about once", async () => {
  const me = await call("GET", "/users/me", person());
  expect([me.status, me.body.username]).toEqual([200, organization]);
  const job = { command: "true", container_group_id: groupId, sync: {} };
  expect((await call("POST", "/jobs", person(), job)).status).toBe(202);
  const [claimed] = (await call("GET", work("m1"), node({ machineId: "m1" }))).body;
  expect(claimed.user_id).toBe(me.body.id);
  const holder = { machine_id: "m1", container_group_id: groupId };
  for (const headers of [person(), node({ machineId: "m1" })]) {
    const beat = await call("POST", `/jobs/${claimed.id}/heartbeat`, headers, holder);
    expect([beat.status, beat.body.status]).toEqual([200, "running"]);
  }
  const made = await call("POST", "/users/me/tokens", person(), { name: "e2e" });
  const byToken = await call("GET", "/users/me", { "X-Kelpie-Key": made.body.token });
  expect(byToken.body.id).toBe(me.body.id);
  expect(keyQuestions()).toBe(1);
});

test("a wrong key, a forged token, another machine and another project are refused", async () => {
  expect((await call("GET", "/users/me", person("wrong"))).status).toBe(403);
  expect((await call("GET", work("m1"), node({ machineId: "m1", signedBy: "forged" }))).status).toBe(403);
  expect((await call("GET", work("m2"), node({ machineId: "m1" }))).status).toBe(403);
  // The group was listed in "default" when the person came.
  expect((await call("GET", work("m1"), node({ machineId: "m1" }, "other"))).status).toBe(403);
  expect((await call("GET", "/jobs", node({ machineId: "m1" }))).status).toBe(403);
});

test("while Salad is down, who is known goes on, others wait; afterwards all is as before", async () => {
  salad.controls.addFault({ kind: "html", status: 502 });
  expect((await call("GET", "/users/me", person())).status).toBe(200);
  expect((await call("GET", work("m3"), node({ machineId: "m3" }))).status).toBe(200);
  const unknown = await call("GET", "/users/me", person("salad-key", "other"));
  expect([unknown.status, unknown.headers.get("retry-after")]).toEqual([503, "5"]);
  salad.controls.clearFaults();
  await expect
    .poll(async () => (await call("GET", "/users/me", person("salad-key", "other"))).status, {
      timeout: 20_000,
    })
    .toBe(200);
});

test("Salad's keys rotate: both published ones count, and what was verified stays", async () => {
  expect((await call("GET", work("m4"), node({ machineId: "m4", signedBy: "newer" }))).status).toBe(200);
  const old = node({ machineId: "m5" });
  expect((await call("GET", work("m5"), old)).status).toBe(200);
  salad.controls.rotateSigningKeys();
  expect((await call("GET", work("m5"), old)).status).toBe(200);
  expect((await call("GET", work("m6"), node({ machineId: "m6" }))).status).toBe(200);
});
