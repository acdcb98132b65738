/**
 * A node of SaladCloud that carries no credential at all: no key of ours, none of a storage. The real API, a simulated SaladCloud behind it
 * and beside the agent, one whole job in managed storage, and what its metadata service was told meanwhile.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type LocalAgent, startLocalAgent } from "../../tools/local-agent.ts";
import { type LocalApi, startLocalApi } from "../../tools/local-api.ts";
import { SimulatedSalad } from "../salad/simulated-salad.ts";

const organization = "e2e-nodes";
let directory: string;
let salad: SimulatedSalad;
let api: LocalApi;
const agents: LocalAgent[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-e2e-"));
  salad = await SimulatedSalad.start();
  salad.controls.addOrganization({ name: organization, keys: ["salad-key"] });
  const vars = { SALAD_API_URL: salad.apiUrl, SALAD_JWKS_URL: salad.jwksUrl };
  api = await startLocalApi({ persistTo: join(directory, "api"), vars });
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.kill()));
  await api?.stop();
  await salad?.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

/** A group with one instance, and the agent in it. */
function startFleet(name: string, env: Record<string, string> = {}) {
  const { id: groupId } = salad.controls.addGroup({ organization, name, replicas: 1 });
  const instances = () =>
    salad.controls.listInstances({ organization }).filter((instance) => instance.groupId === groupId);
  const [instance] = instances();
  if (!instance) throw new Error("the group has no instance");
  const agent = startLocalAgent({
    api,
    s3Keys: false,
    key: "",
    containerGroupId: groupId,
    machineId: instance.machineId,
    directory: join(directory, name),
    env: {
      KELPIE_IMDS_URL: salad.imdsUrl(instance.id),
      SALAD_INSTANCE_ID: instance.id,
      SALAD_ORGANIZATION_NAME: organization,
      SALAD_PROJECT_NAME: "default",
      ...env,
    },
  });
  agents.push(agent);
  return { agent, groupId, instance, instances, path: (file: string) => join(directory, name, file) };
}

const person = {
  "Salad-Api-Key": "salad-key",
  "Salad-Organization": organization,
  "Salad-Project": "default",
};
async function ask(method: string, path: string, body?: object) {
  const response = await fetch(`${api.url}${path}`, {
    method,
    headers: person,
    body: body ? JSON.stringify(body) : null,
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return text;
}
const submit = async (groupId: string, program: string, sync: object) => {
  const job = {
    command: process.execPath,
    arguments: ["-e", `const fs = require("fs");\n${program}`],
    container_group_id: groupId,
    sync,
  };
  return JSON.parse(await ask("POST", "/jobs", job)).id as string;
};
const patiently = { timeout: 60_000, interval: 50 };

test("a whole job with nothing but the node's token: claimed, renewed, its output kept, reported", async () => {
  const { agent, groupId, instance, instances, path } = startFleet("tokens");
  const after = [{ prefix: "of-a-node/", local_path: "results", direction: "upload" }];
  const id = await submit(
    groupId,
    `
      fs.writeFileSync("started", "");
      const waiting = setInterval(() => {
        if (!fs.existsSync("go")) return;
        clearInterval(waiting);
        fs.mkdirSync("results", { recursive: true });
        fs.writeFileSync("results/hello.txt", "from " + process.env.SALAD_MACHINE_ID);
      }, 20);
    `,
    { after },
  );
  await expect.poll(() => existsSync(path("started")), patiently).toBe(true);
  await expect.poll(() => instances()[0]?.deletionCost, patiently).toBe(1);
  writeFileSync(path("go"), "");
  await expect
    .poll(async () => JSON.parse(await ask("GET", `/jobs/${id}`)).status, patiently)
    .toBe("completed");
  expect(await ask("GET", "/files/of-a-node/hello.txt")).toBe(`from ${instance.machineId}`);
  await expect.poll(() => instances()[0]?.deletionCost, patiently).toBe(0);
  // The token is a JWT: none was logged.
  expect(agent.tail(1000)).not.toContain("eyJ");
  expect(agent.tail(1000)).toContain("socket open");
});

test("an idle agent's node is given back, and the group gets another", async () => {
  const { agent, instance, instances } = startFleet("idle", { MAX_TIME_WITH_NO_WORK_S: "1" });
  await expect.poll(() => instances()[0]?.machineId, patiently).not.toBe(instance.machineId);
  // SaladCloud stops the container; the simulated one leaves that to us.
  agent.signal("SIGTERM");
  expect(await agent.exited).toEqual({ code: 0, signal: null });
});

test("a node on which jobs fail in a row is given back, and the next job goes to another", async () => {
  const { agent, groupId, instance, instances } = startFleet("failing", { MAX_JOB_FAILURES: "2" });
  for (let jobs = 0; jobs < 2; jobs++) await submit(groupId, "process.exit(1)", {});
  await expect.poll(() => instances()[0]?.machineId, patiently).not.toBe(instance.machineId);
  const id = await submit(groupId, "", {});
  agent.signal("SIGTERM");
  expect(await agent.exited).toEqual({ code: 0, signal: null });
  expect(JSON.parse(await ask("GET", `/jobs/${id}`))).toMatchObject({ status: "pending", attempt: 0 });
});
