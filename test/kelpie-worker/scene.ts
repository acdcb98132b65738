/** One queue, its workers (doubles of the original) as processes, and a journal that the jobs write. */
import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AwsClient } from "aws4fetch";
import type { Job } from "../../src/contract/index.ts";
import { type LocalApi, localBucket } from "../../tools/local-api.ts";
import type { Client, SubmittedJob } from "../../tools/local-client.ts";
import { type ManagedProcess, startProcess } from "../../tools/processes/managed-process.ts";
import { projectRoot } from "../../tools/project.ts";

/** Seconds. A lease is twice as long, and 5 s. */
export const interval = 2;
const patienceMs = 60_000;

export interface Told {
  event: string;
  id?: string;
  end?: string;
  error?: string;
  code?: number;
}

export interface Worker {
  process: ManagedProcess;
  directory: string;
  told: Told[];
  /** Until it has told so, of that job if one is given. */
  tells(event: string, id?: string): Promise<Told>;
  /** Stops or wakes it with all of its children. */
  freeze(): void;
  thaw(): void;
}

/** What every job's command can do: `log(event)` to the journal, files below the working directory. */
const preamble = `
const fs = require("node:fs");
const { KELPIE_JOB_ID: id, SALAD_MACHINE_ID: machine, JOURNAL, SLOT } = process.env;
const log = (event, facts) => fs.appendFileSync(JOURNAL, JSON.stringify({ id, machine, slot: SLOT, event, ...facts }) + "\\n");
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
log("start");
`;

export class Scene {
  readonly group: string;
  readonly directory: string;
  readonly #api: LocalApi;
  readonly #client: Client;
  readonly #workers: Worker[] = [];

  constructor(api: LocalApi, client: Client, root: string, name: string) {
    this.#api = api;
    this.#client = client;
    this.group = `group-${name}`;
    this.directory = join(root, name);
    mkdirSync(this.directory);
    appendFileSync(this.#journal, "");
  }

  get #journal(): string {
    return join(this.directory, "journal.jsonl");
  }

  /** `script` has `fs`, `log`, `sleep`, and may await. */
  async submit(script: string, fields: Partial<SubmittedJob> = {}): Promise<Job> {
    const [job] = await this.#client.submit([
      {
        command: process.execPath,
        arguments: ["-e", `${preamble}(async () => {${script}})().then(() => log("end"))`],
        container_group_id: this.group,
        heartbeat_interval: interval,
        ...(fields.input_bucket === undefined ? { sync: {} } : {}),
        ...fields,
      },
    ]);
    if (!job) throw new Error("The API answered an empty batch");
    return job;
  }

  job = (id: string) => this.#client.job(id);
  /** Oldest first. */
  attempts = async (id: string) =>
    (await this.#client.attempts(id)).map(({ machine_id, end }) => [machine_id, end]);

  /** What the jobs wrote, in order. */
  journal(): { id: string; machine: string; slot?: string; event: string; from?: string }[] {
    return readFileSync(this.#journal, "utf8")
      .trim()
      .split("\n")
      .filter(Boolean)
      .map((line) => JSON.parse(line));
  }

  worker(machineId: string, { slot = "0", env = {}, apiUrl = this.#api.url } = {} as WorkerOptions): Worker {
    const directory = join(this.directory, `${machineId}-${slot}`);
    mkdirSync(directory);
    const told: Told[] = [];
    const main = join(projectRoot, "test/kelpie-worker/double/main.ts");
    const child = startProcess(process.execPath, [main], {
      cwd: directory,
      env: {
        ...{ PATH: process.env.PATH, JOURNAL: this.#journal, SLOT: slot, POLL_MS: "300" },
        ...{ KELPIE_API_URL: apiUrl, KELPIE_API_KEY: this.#client.key },
        ...{ SALAD_MACHINE_ID: machineId, SALAD_CONTAINER_GROUP_ID: this.group },
        ...{ AWS_ACCESS_KEY_ID: localBucket.accessKeyId, AWS_SECRET_ACCESS_KEY: localBucket.secretAccessKey },
        ...{ AWS_REGION: localBucket.region, AWS_ENDPOINT_URL: this.#api.s3Endpoint },
        ...{ INPUT_DIR: "./input", OUTPUT_DIR: "./output", CHECKPOINT_DIR: "./checkpoint" },
        ...env,
      },
      onLine: (line) => line.startsWith("{") && told.push(JSON.parse(line)),
    });
    const worker: Worker = {
      process: child,
      directory,
      told,
      tells: (event, id) =>
        this.until(`"${event}" of ${machineId}`, async () =>
          told.find((one) => one.event === event && (id === undefined || one.id === id)),
        ),
      freeze: () => process.kill(-child.pid, "SIGSTOP"),
      thaw: () => process.kill(-child.pid, "SIGCONT"),
    };
    this.#workers.push(worker);
    return worker;
  }

  async until<T>(what: string, ask: () => Promise<T | undefined | false>): Promise<T> {
    const deadlineMs = Date.now() + patienceMs;
    for (;;) {
      const found = await ask();
      if (found !== undefined && found !== false) return found;
      if (Date.now() > deadlineMs) throw new Error(`waited in vain for ${what}\n${this.tails()}`);
      await sleep(100);
    }
  }

  ended = (id: string, status: Job["status"] = "completed") =>
    this.until(`the job to be ${status}`, async () => {
      const job = await this.job(id);
      return job.status === status && job;
    });

  tails(): string {
    const ofWorkers = this.#workers.map(({ process }) => process.tail(15));
    return [existsSync(this.#journal) ? readFileSync(this.#journal, "utf8") : "", ...ofWorkers].join(
      "\n--\n",
    );
  }

  async clear(): Promise<void> {
    await Promise.all(this.#workers.map(({ process }) => process.kill()));
  }
}

interface WorkerOptions {
  slot?: string;
  env?: Record<string, string>;
  apiUrl?: string;
}

/** The bucket as its owner sees it. */
export function openObjects(s3Endpoint: string) {
  const { accessKeyId, secretAccessKey, region, bucket } = localBucket;
  const aws = new AwsClient({ accessKeyId, secretAccessKey, region, service: "s3" });
  const urlOf = (key: string) => `${s3Endpoint}/${bucket}/${key}`;
  /** Undefined: no such object. */
  async function bytes(key: string): Promise<Buffer | undefined> {
    const answer = await aws.fetch(urlOf(key));
    const content = Buffer.from(await answer.arrayBuffer());
    if (answer.status === 404) return undefined;
    if (!answer.ok) throw new Error(`GET ${key}: ${answer.status} ${content}`);
    return content;
  }
  return {
    async put(key: string, body: string): Promise<void> {
      const answer = await aws.fetch(urlOf(key), { method: "PUT", body });
      if (!answer.ok) throw new Error(`PUT ${key}: ${answer.status} ${await answer.text()}`);
    },
    bytes,
    get: async (key: string) => (await bytes(key))?.toString(),
  };
}
