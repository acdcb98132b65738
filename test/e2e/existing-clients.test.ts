/** Submit scripts written for Salad's Kelpie, in Node and in Python: only the base URL changes. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LocalApi, startLocalApi } from "../../tools/local-api.ts";
import { type Client, createClient } from "../../tools/local-client.ts";
import { startProcess } from "../../tools/processes/managed-process.ts";
import { projectRoot } from "../../tools/project.ts";

const clients = join(projectRoot, "test/e2e/clients");
const hasPython = spawnSync("python3", ["--version"]).status === 0;

let directory: string;
let api: LocalApi;
let client: Client;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-clients-"));
  api = await startLocalApi({ persistTo: join(directory, "api") });
  client = await createClient(api, "scripts");
});
afterAll(async () => {
  await api?.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

interface Said {
  ids: string[];
  count: number;
  listed: string[];
  canceled: number;
  status: string;
}

async function run(command: string, script: string, group: string): Promise<Said> {
  const lines: string[] = [];
  const process_ = startProcess(command, [join(clients, script)], {
    cwd: directory,
    env: {
      PATH: process.env.PATH,
      KELPIE_API_URL: api.url,
      KELPIE_API_KEY: client.key,
      CONTAINER_GROUP_ID: group,
    },
    onLine: (line) => lines.push(line),
  });
  const { code } = await process_.exited;
  expect(code, lines.join("\n")).toBe(0);
  return JSON.parse(lines.at(-1) ?? "null");
}

async function check(said: Said, group: string): Promise<void> {
  expect(said).toMatchObject({ count: 2, canceled: 202, status: "canceled" });
  expect(said.listed).toEqual(said.ids);
  const jobs = await client.jobs(group);
  expect(jobs.map(({ id }) => id).toSorted()).toEqual(said.ids.toSorted());
  const first = await client.job(said.ids[0] ?? "");
  expect(first).toMatchObject({
    status: "pending",
    arguments: ["train.py", "--name", "first"],
    environment: { NAME: "first" },
  });
}

it("in Node, with fetch", async () => {
  const said = await run(process.execPath, "submit.mjs", "node-scripts");
  await check(said, "node-scripts");
  const rules = (await client.job(said.ids[0] ?? "")).sync;
  expect(rules?.after?.[0]).toMatchObject({ bucket: "mine", prefix: "first/output/" });
});

it.skipIf(!hasPython)(`in Python, with urllib${hasPython ? "" : " (no python3 here)"}`, async () => {
  const said = await run("python3", "submit.py", "python-scripts");
  await check(said, "python-scripts");
  expect(said).toMatchObject({ missing: 404 });
  expect(await client.job(said.ids[0] ?? "")).toMatchObject({
    input_prefix: "first/input/",
    output_bucket: "mine",
  });
});
