/** What the simulated SaladCloud takes and answers is what Salad's own specifications describe. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { SimulatedSalad } from "./simulated-salad.ts";
import { type Exchange, Specification } from "./specification.ts";

const publicApi = Specification.load("salad-cloud.yaml");
const metadata = Specification.load("salad-cloud-imds.yaml");

const containers = "/organizations/acme/projects/default/containers";
const group = `${containers}/trainers`;

let salad: SimulatedSalad;
beforeAll(async () => {
  salad = await SimulatedSalad.start();
  salad.controls.addOrganization({ name: "acme", keys: ["key"], replicasQuota: 10, movesPerMinute: 3 });
});
afterAll(() => salad.stop());

/** Of all exchanges: what was to be checked, and which operations were met. */
let checks = 0;
const met = new Set<string>();

interface Sent {
  body?: unknown;
  type?: string;
  headers?: Record<string, string>;
}

async function exchange(base: string, method: string, path: string, sent: Sent): Promise<Exchange> {
  const { body, type = "application/json", headers } = sent;
  const response = await fetch(`${base}${path}`, {
    method,
    headers: { ...(body === undefined ? {} : { "Content-Type": type }), ...headers },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return {
    method,
    path,
    requestType: body === undefined ? null : type,
    requestBody: body,
    status: response.status,
    responseType: response.headers.get("content-type"),
    responseText: await response.text(),
  };
}

/** Expects the status, and the exchange to be as specified; the answer's JSON. */
async function expectSpecified(
  specification: Specification | null,
  base: string,
  line: string,
  sent: Sent & { status: number },
) {
  const [method = "", path = ""] = line.split(" ");
  const made = await exchange(base, method, path, sent);
  expect([line, made.status, made.responseText]).toEqual([line, sent.status, expect.anything()]);
  checks += made.status < 400 ? 2 : 1;
  if (specification) {
    expect([line, ...specification.faultsOfAnswer(made)]).toEqual([line]);
    if (made.status < 400) expect([line, ...specification.faultsOfRequest(made)]).toEqual([line]);
    if (made.status < 400) met.add(specification.operationOf(made) ?? "");
  }
  return made.responseText === "" ? null : JSON.parse(made.responseText);
}

const api = (line: string, status: number, sent: Sent = {}) =>
  expectSpecified(publicApi, salad.apiUrl, line, { headers: { "Salad-Api-Key": "key" }, ...sent, status });
const patch = (body: unknown) => ({ body, type: "application/merge-patch+json" });

const newGroup = {
  name: "trainers",
  display_name: "Trainers, all of them",
  replicas: 2,
  autostart_policy: true,
  restart_policy: "always",
  country_codes: ["us", "de"],
  container: {
    image: "example.com/trainer:1",
    command: ["/kelpie"],
    environment_variables: { KELPIE_API_URL: "https://kelpie.example" },
    priority: "low",
    resources: {
      cpu: 2,
      memory: 4096,
      gpu_classes: ["ed563892-aacd-40f5-80b7-90c9be6c759b"],
      storage_amount: 10_737_418_240,
      shm_size: 64,
    },
  },
};

test("container groups", async () => {
  await api(`GET ${containers}`, 200);
  await api(`POST ${containers}`, 201, { body: newGroup });
  await api(`POST ${containers}`, 400, { body: newGroup });
  await api(`POST ${containers}`, 400, { body: { ...newGroup, name: "Not a name" } });
  await api(`POST ${containers}`, 400, { body: { ...newGroup, name: "others", replicas: 9 } });
  await api(`POST ${containers}`, 400, { body: { ...newGroup, name: "others", networking: {} } });
  const { items } = await api(`GET ${containers}`, 200);
  expect(items).toMatchObject([{ name: "trainers", priority: "low", replicas: 2, version: 1 }]);
  await api(`GET ${group}`, 200);
  await api(`GET ${containers}/nobodys`, 404);
  expect(await api(`PATCH ${group}`, 200, patch({ replicas: 3 }))).toMatchObject({ replicas: 3, version: 1 });
  const environment = { container: { environment_variables: { A: "1" }, priority: "high" } };
  expect(await api(`PATCH ${group}`, 200, patch(environment))).toMatchObject({
    version: 2,
    priority: "high",
  });
  await api(`PATCH ${group}`, 400, patch({ replicas: 501 }));
  await api(`PATCH ${group}`, 400, patch({ replicas: 11 }));
  await api(`PATCH ${group}`, 400, patch({ restart_policy: "never" }));
  await api(`PATCH ${group}`, 415, { body: { replicas: 1 } });
  await api(`POST ${group}/start`, 400);
  await api(`POST ${group}/stop`, 202);
  await api(`GET ${group}`, 200);
  await api(`POST ${group}/stop`, 400);
  await api(`POST ${group}/start`, 202);
});

test("instances", async () => {
  const { instances } = await api(`GET ${group}/instances`, 200);
  expect(instances).toHaveLength(3);
  const instance = `${group}/instances/${instances[0].id}`;
  await api(`GET ${instance}`, 202);
  expect(await api(`PATCH ${instance}`, 200, patch({ deletion_cost: 7 }))).toMatchObject({
    deletion_cost: 7,
  });
  await api(`PATCH ${instance}`, 200, patch({ deletion_cost: null }));
  await api(`PATCH ${instance}`, 400, patch({ deletion_cost: 100_001 }));
  await api(`PATCH ${instance}`, 400, patch({ deletion_costs: 1 }));
  await api(`POST ${instance}/restart`, 202);
  // Each run is an instance of its own.
  await api(`GET ${instance}`, 404);
  await api(`POST ${instance}/recreate`, 404);
  const [, second, third] = instances;
  await api(`POST ${group}/instances/${second.id}/recreate`, 202);
  await api(`POST ${group}/instances/${third.id}/reallocate`, 202);
  expect((await api(`GET ${group}/instances`, 200)).instances).toHaveLength(3);
  await api(`GET ${containers}/nobodys/instances`, 404);
});

test("an organization's quotas and what GPUs cost", async () => {
  const { container_groups_quotas } = await api("GET /organizations/acme/quotas", 200);
  expect(container_groups_quotas).toMatchObject({ container_replicas_quota: 10, container_replicas_used: 3 });
  await api("GET /organizations/acme/gpu-classes", 200);
});

test("a key that is unknown, that does not reach so far, that asks too often", async () => {
  await api(`GET ${containers}`, 401, { headers: {} });
  await api(`GET ${containers}`, 401, { headers: { "Salad-Api-Key": "other" } });
  await api("GET /organizations/other/projects/default/containers", 403);
  await api("GET /organizations/other/quotas", 403);
  await api("GET /organizations/acme/projects/nobodys/containers", 404);
  salad.controls.addFault({ kind: "problem", status: 429, times: 1 });
  await api(`GET ${containers}`, 429);
});

test("the metadata service", async () => {
  const [first, second, third] = salad.controls.listInstances({ organization: "acme" });
  const imds = (id = "nobody", line: string, status: number, sent: Sent = {}) =>
    expectSpecified(metadata, salad.imdsUrl(id), line, { headers: { Metadata: "true" }, ...sent, status });
  await imds(first?.id, "GET /v1/status", 200);
  await imds(first?.id, "GET /v1/token", 200);
  await imds(first?.id, "GET /v1/deletion-cost", 200);
  await imds(first?.id, "PUT /v1/deletion-cost", 204, { body: { deletion_cost: 999_999_999 } });
  expect(await imds(first?.id, "GET /v1/deletion-cost", 200)).toEqual({ deletion_cost: 999_999_999 });
  // The public API knows no more than that.
  const shown = await api(`GET ${group}/instances/${first?.id}`, 202);
  expect(shown.deletion_cost).toBe(100_000);
  await imds(first?.id, "PUT /v1/deletion-cost", 400, { body: { deletion_cost: 2_147_483_648 } });
  await imds(first?.id, "GET /v1/token", 403, { headers: {} });
  await imds(first?.id, "GET /v1/token", 403, { headers: { Metadata: "yes" } });
  for (const header of ["X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"]) {
    await imds(first?.id, "GET /v1/token", 403, { headers: { Metadata: "true", [header]: "x" } });
  }
  await imds("nobody", "GET /v1/status", 404);
  await imds(first?.id, "POST /v1/reallocate", 400, { body: {} });
  await imds(first?.id, "POST /v1/reallocate", 400, { body: { reason: "" } });
  await imds(first?.id, "POST /v1/reallocate", 204, { body: { reason: "its GPU fails" } });
  await imds(first?.id, "GET /v1/status", 404);
  await imds(second?.id, "POST /v1/recreate", 204);
  await imds(third?.id, "POST /v1/restart", 204);
});

test("a group that is removed", async () => {
  await api(`DELETE ${containers}/nobodys`, 404);
  await api(`DELETE ${group}`, 202);
  await api(`GET ${group}`, 404);
  await api(`GET ${group}/instances`, 404);
});

test("everything that is served was met, and all of it as specified", () => {
  expect(checks).toBeGreaterThan(80);
  if (!publicApi || !metadata) {
    console.warn(`specs absent: ${checks} checks not run`);
    return;
  }
  const metadataServed = metadata.operations();
  const publicServed = publicApi.operations().filter((operation) => {
    const served = /(\/containers(\/.*)?|\/quotas|\/gpu-classes)$/.test(operation);
    return served && !operation.endsWith("/system-logs");
  });
  expect(publicServed).toHaveLength(15);
  expect([...met].sort()).toEqual([...publicServed, ...metadataServed].sort());
});
