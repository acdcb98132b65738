/** The steps of examples/sum/README.md ("On your own machine"), with its own files, so that they cannot rot. */
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LocalApi, startLocalApi } from "../../tools/local-api.ts";
import { createClient, openBucket } from "../../tools/local-client.ts";
import { type ManagedProcess, startProcess } from "../../tools/processes/managed-process.ts";
import { projectRoot } from "../../tools/project.ts";

const examples = join(projectRoot, "examples/sum");
const bare = { PATH: process.env.PATH };

let directory: string;
let api: LocalApi;
let agent: ManagedProcess | undefined;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-tutorial-"));
  api = await startLocalApi({ persistTo: join(directory, "api") });
});
afterAll(async () => {
  await agent?.kill();
  await api?.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

/** The shell blocks of one of the README's numbered steps. */
function readStep(title: string): string[] {
  const readme = readFileSync(join(examples, "README.md"), "utf8");
  const [, step = ""] = new RegExp(`^\\*\\*${title}\\*\\*(.*?)^(?:## |\\*\\*\\d)`, "ms").exec(readme) ?? [];
  return [...step.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block ?? "");
}

/** What `sed` does in the README, plus this API's port. */
function fillIn(example: string, key: string, changes: Record<string, string> = {}): string {
  let text = readFileSync(join(examples, example), "utf8").replaceAll("http://127.0.0.1:8787", api.url);
  for (const [name, value] of Object.entries({ KELPIE_API_KEY: key, ...changes })) {
    text = text.replace(new RegExp(`^${name}=.*$`, "m"), `${name}=${value}`);
  }
  const path = join(directory, example.replace(".example", ""));
  writeFileSync(path, text);
  return path;
}

const languages = [
  { command: "node sum.mjs", present: true },
  { command: "python3 sum.py", present: spawnSync("python3", ["--version"]).status === 0 },
];

it("jobs of a CSV are submitted and run by one agent with made-up ids, in Node and in Python", async () => {
  const client = await createClient(api, "sums");
  const workdir = join(directory, "node-1");
  mkdirSync(workdir);
  for (const program of ["sum.mjs", "sum.py"]) cpSync(join(examples, program), join(workdir, program));
  const expected: [string, unknown][] = [];
  for (const [index, { command }] of languages.filter(({ present }) => present).entries()) {
    const submitterEnv = fillIn("submitter.env.example", client.key, { COMMAND: command });
    const csv = join(directory, `jobs-${index}.csv`);
    writeFileSync(csv, `name,n,step_seconds\nshort-${index},4,0.01\nlonger-${index},9,0.01\n`);
    const submission = spawnSync(
      process.execPath,
      [`--env-file=${submitterEnv}`, join(examples, "submit.mjs"), csv],
      { cwd: directory, env: bare, encoding: "utf8" },
    );
    expect(submission.stdout + submission.stderr).toBe("2 of 2 jobs submitted\n");
    expected.push([`sum/short-${index}/output/sum.json`, { n: 4, sum: 10 }]);
    expected.push([`sum/longer-${index}/output/sum.json`, { n: 9, sum: 45 }]);
  }

  const workerEnv = fillIn("worker.env.example", client.key);
  const main = join(projectRoot, "worker-agent/src/main.ts");
  agent = startProcess(process.execPath, [`--env-file=${workerEnv}`, main], { cwd: workdir, env: bare });
  const deadlineMs = Date.now() + 50_000;
  let open = expected.length;
  while (open > 0) {
    if (Date.now() > deadlineMs) throw new Error(`${open} jobs did not complete:\n${agent.tail()}`);
    await sleep(200);
    open = (await client.jobs("my-group")).filter(({ status }) => status !== "completed").length;
  }
  const bucket = openBucket(api.s3Endpoint);
  for (const [key, output] of expected) {
    expect(JSON.parse((await bucket.get(key)) ?? "null")).toEqual(output);
  }
  // Its ids, one line per job, for whoever wants to ask after them.
  expect(readFileSync(join(directory, "submitted.csv"), "utf8").trim().split("\n")).toHaveLength(
    expected.length,
  );
});

const missing = ["bash", "curl", "jq"].filter((tool) => spawnSync(tool, ["--version"]).status !== 0);

it.skipIf(missing.length > 0)(
  "the step without S3 keys, pasted: checkpoints in generations, outputs by curl",
  async () => {
    const client = await createClient(api, "keyless");
    const workdir = join(directory, "checkout/examples/sum");
    cpSync(examples, workdir, { recursive: true });
    // Stands for the bundle, which has tests of its own.
    mkdirSync(join(directory, "checkout/dist"));
    const main = JSON.stringify(pathToFileURL(join(projectRoot, "worker-agent/src/main.ts")));
    writeFileSync(join(directory, "checkout/dist/kelpie.mjs"), `await import(${main});\n`);
    cpSync(fillIn("worker.env.example", client.key), join(workdir, "worker.env"));
    cpSync(fillIn("submitter.env.example", client.key), join(workdir, "submitter.env"));
    writeFileSync(join(workdir, "jobs.csv"), "name,n,step_seconds\nbrief,5,0.01\nlonger,8,0.5\n");

    const [run, look, ...others] = readStep("7. Without S3 keys");
    expect(others).toEqual([]);
    const lines: string[] = [];
    // The agent of the step goes when there is nothing left to do, instead of by Ctrl-C.
    const script = [run, ". ./worker.env", look].join("\n");
    agent = startProcess("bash", ["-euo", "pipefail", "-c", script], {
      cwd: workdir,
      env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, MAX_TIME_WITH_NO_WORK_S: "2" },
      onLine: (line) => lines.push(line),
    });
    const { code } = await agent.exited;
    expect(code, lines.join("\n")).toBe(0);
    expect(await client.jobs("keyless", "completed")).toHaveLength(2);
    expect(readFileSync(join(workdir, "keyless.env"), "utf8")).not.toContain("AWS_");
    // Of the longer job: the newest generation has every checkpoint.
    expect(lines.find((line) => line.startsWith("[1,"))).toMatch(/^\[1,\d+,8,\d+,"kept"\]$/);
    expect(lines.slice(-2)).toEqual(['{"n":5,"sum":15}', '{"n":8,"sum":36}']);
  },
);
