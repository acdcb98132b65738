/** The real thing on this machine: the API under `wrangler dev`, agents as processes, jobs of examples/sum. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Job } from "../../src/contract/index.ts";
import { type LocalAgent, startLocalAgent } from "../../tools/local-agent.ts";
import { type LocalApi, startLocalApi } from "../../tools/local-api.ts";
import {
  type Bucket,
  type Client,
  createClient,
  openBucket,
  type SubmittedJob,
} from "../../tools/local-client.ts";
import { checkpointPrefixOf, outputKeyOf, sumJob } from "../../tools/sum-job.ts";
import { readSumLog, type SumEvent } from "../../tools/sum-log.ts";
import { freePort, type UrlKind } from "./url-kinds.ts";

/** The lease of every job here: the shortest that there is. */
export const leaseMs = 20_000;
export const heartbeatIntervalSeconds = 10;

export interface Stack {
  api(): LocalApi;
  client: Client;
  bucket: Bucket;
  /** SIGKILL to the API, then the same port and directory again. */
  restartApi(downMs: number): Promise<void>;
  /** A scene of its own: its queue, its jobs' log, its agents. */
  scene(name: string): Scene;
  stop(): Promise<void>;
}

export interface Scene {
  submit(job: { n: number; stepSeconds: number } & Partial<SubmittedJob>): Promise<Job>;
  /** `apiUrl`: another way to the API. */
  agent(machineId: string, apiUrl?: string): LocalAgent;
  /** Of this scene; the agents' working directories are inside, by their machine ids. */
  directory: string;
  /** For the jobs to append to. */
  logPath: string;
  /** What the jobs wrote, in order. */
  events(): SumEvent[];
  /** Numbers of the checkpoints that lie in the bucket, ascending. */
  checkpoints(): Promise<number[]>;
  output(): Promise<string | undefined>;
  /** For a failed test's message. */
  tails(): string;
}

/** With `urls`: managed storage by that kind of URLs, and agents without S3 keys. */
export async function startStack(urls?: UrlKind): Promise<Stack> {
  const directory = mkdtempSync(join(tmpdir(), "kelpie-e2e-"));
  const persistTo = join(directory, "api");
  const port = urls && (await freePort());
  const vars = urls && port !== undefined ? urls.varsFor(port) : {};
  let api = await startLocalApi({ persistTo, port, vars });
  const client = await createClient(api, "e2e");
  const bucket = openBucket(api.s3Endpoint);
  const agents: LocalAgent[] = [];

  return {
    api: () => api,
    client,
    bucket,
    async restartApi(downMs) {
      await api.kill();
      await sleep(downMs);
      api = await startLocalApi({ persistTo, port: api.port, vars, migrate: false });
    },
    scene(name) {
      const logPath = join(directory, `${name}.jsonl`);
      const own: LocalAgent[] = [];
      return {
        async submit({ n, stepSeconds, ...changes }) {
          const job = sumJob({
            name,
            n,
            stepSeconds,
            containerGroupId: name,
            logPath,
            heartbeatIntervalSeconds,
          });
          const [submitted] = await client.submit([{ ...job, ...changes }]);
          if (!submitted) throw new Error("The API answered an empty batch");
          return submitted;
        },
        agent(machineId, apiUrl) {
          const agent = startLocalAgent({
            api: { url: apiUrl ?? api.url, s3Endpoint: api.s3Endpoint },
            s3Keys: urls === undefined,
            key: client.key,
            containerGroupId: name,
            machineId,
            directory: join(directory, name, machineId),
          });
          agents.push(agent);
          own.push(agent);
          return agent;
        },
        directory: join(directory, name),
        logPath,
        events: () => readSumLog(logPath).events,
        async checkpoints() {
          const keys = await bucket.list(checkpointPrefixOf(name));
          return keys.map((key) => Number(/step-(\d+)\.json$/.exec(key)?.[1])).sort((a, b) => a - b);
        },
        output: () => bucket.get(outputKeyOf(name)),
        tails: () => own.map((agent) => `--- ${agent.machineId} ---\n${agent.tail(30)}`).join("\n"),
      };
    },
    async stop() {
      await Promise.all(agents.map((agent) => agent.kill()));
      await api.stop();
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Asks until there is an answer; says what it waited for, and what the scene's agents said, when there is none. */
export async function until<T>(
  what: string,
  ask: () => T | undefined | false | Promise<T | undefined | false>,
  scene: Pick<Scene, "tails">,
  withinMs = 50_000,
): Promise<T> {
  const deadlineMs = Date.now() + withinMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined && answer !== false) return answer;
    if (Date.now() > deadlineMs)
      throw new Error(`Waited ${withinMs} ms in vain for ${what}\n${scene.tails()}`);
    await sleep(100);
  }
}
