/**
 * The agent as it goes into images, one executable with its own Node: built once here, then whole jobs with it on the real API. What could
 * differ from the sources: threads (patterns), the bundled HTTP client, the program's arguments and path.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { lockedNode } from "../../tools/agent-build/binary.ts";
import { type LocalAgent, startLocalAgent } from "../../tools/local-agent.ts";
import { type LocalApi, localBucket, startLocalApi } from "../../tools/local-api.ts";
import { type Bucket, type Client, createClient, openBucket } from "../../tools/local-client.ts";
import { projectRoot } from "../../tools/project.ts";
import { outputKeyOf, sumJob } from "../../tools/sum-job.ts";
import { version } from "../../worker-agent/src/version.ts";
import { until } from "./stack.ts";

const containerGroupId = "binary";

describe.skipIf(lockedNode() === undefined)("dist/kelpie (made on linux-x64 only)", () => {
  let directory: string;
  let told: string;
  let binary: string;
  let api: LocalApi;
  let client: Client;
  let bucket: Bucket;
  const agents: LocalAgent[] = [];

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), "kelpie-binary-"));
    const build = join(projectRoot, "tools/build-agent.ts");
    const made = spawnSync(process.execPath, [build, "--outdir", join(directory, "dist")], {
      encoding: "utf8",
    });
    if (made.status !== 0) throw new Error(`the build failed:\n${made.stdout}${made.stderr}`);
    told = made.stdout + made.stderr;
    binary = join(directory, "dist/kelpie");
    api = await startLocalApi({ persistTo: join(directory, "api") });
    client = await createClient(api, "binary");
    bucket = openBucket(api.s3Endpoint);
    // The build takes 10 s of a quiet core, and all of two when ten others want them.
  }, 300_000);
  afterAll(async () => {
    await Promise.all(agents.map((agent) => agent.kill()));
    await api?.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  const call = (args: string[], environment: Record<string, string> = {}) =>
    spawnSync(binary, args, { cwd: directory, env: environment, encoding: "utf8", timeout: 60_000 });

  function start(machineId: string): LocalAgent {
    const agent = startLocalAgent({
      api,
      key: client.key,
      containerGroupId,
      machineId,
      directory: join(directory, machineId),
      program: [binary],
      // What an image sets for its job's Node must not end the agent's.
      env: { NODE_OPTIONS: "--require /nowhere/to-be-found.cjs", KELPIE_POLL_SECONDS: "1" },
    });
    agents.push(agent);
    return agent;
  }

  const tails = () => agents.map((agent) => agent.tail(30)).join("\n");
  const scene = { tails };
  const ended = async (id: string) => {
    const job = await client.job(id);
    return ["completed", "failed", "canceled"].includes(job.status) && job;
  };
  /** sum.mjs itself must not see what the agent must not heed. */
  const submit = async (name: string, n: number, stepSeconds: number) => {
    const logPath = join(directory, `${name}.jsonl`);
    const job = sumJob({ name, n, stepSeconds, containerGroupId, logPath, heartbeatIntervalSeconds: 10 });
    const environment = Object.assign({}, job.environment, { NODE_OPTIONS: "" });
    const [submitted] = await client.submit([{ ...job, environment }]);
    if (!submitted) throw new Error("the API answered an empty batch");
    return submitted;
  };

  it("the build tells size, start-up time and that it fits Debian 10, and leaves nothing else behind", () => {
    expect(told).toMatch(/kelpie: \d+\.\d MB, starts in \d+ ms/);
    expect(told).toMatch(/GLIBC 2\.\d+.*Debian 10, RHEL 8 or newer/);
    const left = spawnSync("ls", [join(directory, "dist")], { encoding: "utf8" })
      .stdout.trim()
      .split("\n");
    expect(left.toSorted()).toEqual(["kelpie", "kelpie.map", "kelpie.mjs", "kelpie.mjs.map"]);
  });

  it("tells its version and its usage without a configuration", () => {
    expect(call(["--version"])).toMatchObject({ status: 0, stdout: `${version}\n`, stderr: "" });
    expect(call(["--help"]).stdout).toContain("kelpie check");
    expect(call(["nonsense"])).toMatchObject({ status: 64, stdout: "" });
    expect(call([]).status).toBe(78);
  });

  it("check: all is well with this API, this token and this bucket", () => {
    const { status, stdout } = call(["check", "--bucket", localBucket.bucket], {
      KELPIE_API_URL: api.url,
      KELPIE_API_KEY: client.key,
      SALAD_MACHINE_ID: "m",
      SALAD_CONTAINER_GROUP_ID: containerGroupId,
      AWS_ENDPOINT_URL: api.s3Endpoint,
      AWS_REGION: localBucket.region,
      AWS_ACCESS_KEY_ID: localBucket.accessKeyId,
      AWS_SECRET_ACCESS_KEY: localBucket.secretAccessKey,
    });
    expect(status, stdout).toBe(0);
    expect(stdout).toMatch(/^ok +own storage .*written, listed, read and deleted$/m);
    expect(stdout).toMatch(/^ok +credential .*"binary"/m);
  });

  it("runs a job with S3 storage and patterns, and after SIGTERM another goes on from its checkpoints", async () => {
    const job = await submit("sum", 30, 0.2);
    const first = start("first");
    await until(
      "a checkpoint in the bucket",
      async () => (await bucket.list("checkpoints/sum/")).length > 2,
      scene,
    );
    first.signal("SIGTERM");
    expect(await first.exited, tails()).toEqual({ code: 0, signal: null });
    start("second");
    await until("the job's end", () => ended(job.id), scene);
    expect(JSON.parse((await bucket.get(outputKeyOf("sum"))) ?? "null"), tails()).toEqual({
      n: 30,
      sum: 465,
    });
    expect((await client.attempts(job.id)).map(({ end, machine_id }) => [machine_id, end])).toEqual([
      ["first", "released"],
      ["second", "completed"],
    ]);
    // The temporary thread's files, a cache, or whatever a Node without its sources would leave.
    expect(existsSync(join(directory, "second/node_modules"))).toBe(false);
  });

  it("runs a job with a snapshot in managed storage", async () => {
    const rule = { prefix: "run/", local_path: "state", mode: "snapshot" as const };
    const [job] = await client.submit([
      {
        command: "sh",
        arguments: ["-c", "mkdir -p state && echo one > state/one && echo two > state/two"],
        container_group_id: containerGroupId,
        heartbeat_interval: 10,
        sync: {
          before: [{ ...rule, direction: "download" }],
          during: [{ ...rule, direction: "upload", quiet_seconds: 1 }],
        },
      },
    ]);
    const end = await until("the job's end", () => ended(job?.id ?? ""), scene);
    expect(end.status, tails()).toBe("completed");
    expect((await client.checkpoints(job?.id ?? "")).map(({ files }) => files)).toEqual([2]);
  });

  it("a pattern that backtracks without end is given up in its thread, and the agent lives on", async () => {
    const name = `${"a".repeat(40)}!`;
    const [job] = await client.submit([
      {
        command: "sh",
        arguments: ["-c", `mkdir -p out && touch 'out/${name}'`],
        container_group_id: containerGroupId,
        heartbeat_interval: 10,
        max_failures: 1,
        sync: { after: [{ prefix: "endless/", local_path: "out", direction: "upload", pattern: "^(a+)+$" }] },
      },
    ]);
    expect((await until("the job's end", () => ended(job?.id ?? ""), scene)).status).toBe("failed");
    const [attempt] = await client.attempts(job?.id ?? "");
    expect(attempt?.reason).toContain("backtracks without end");
    expect(agents.at(-1)?.isRunning()).toBe(true);
  });
});
