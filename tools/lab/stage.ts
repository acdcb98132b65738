/** The course of a lab's run: bursts of jobs on a fleet that comes and goes, nothing in between, and the verdict. */
import { appendFileSync, cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Cloud, saladRequestsPerMinute } from "../../test/salad/cloud.ts";
import { statusOf } from "../../test/salad/group-calls.ts";
import type { Group } from "../../test/salad/groups.ts";
import { measuredLines, speedAt } from "../../test/salad/hardware.ts";
import { SimulatedSalad } from "../../test/salad/simulated-salad.ts";
import { Random } from "../../test/simulation/world/random.ts";
import { SumLogTail } from "../chaos/logs/sum-log-tail.ts";
import { type LocalApi, startLocalApi } from "../local-api.ts";
import { type Client, createClient, openBucket } from "../local-client.ts";
import type { Play } from "../processes/run-to-the-end.ts";
import { projectRoot } from "../project.ts";
import type { Row } from "../screen/table.ts";
import { openScreen, type Screen } from "../screen.ts";
import { outputKeyOf, sumJob } from "../sum-job.ts";
import { readSumLog } from "../sum-log.ts";
import { Agents } from "./agents.ts";
import { settings } from "./settings.ts";
import { judgeLab, type LabVerdict } from "./verdict.ts";
import {
  chartOf,
  keptSamples,
  type LabJob,
  queueInWords,
  replicasOf,
  rowsOf,
  sparkline,
  summaryOf,
} from "./view.ts";

export interface LabOptions {
  seed: number;
  /** Bursts come for so long; the last one's work is waited for. */
  durationMs: number;
  /** Most replicas. */
  nodes: number;
  /** (Default: as many as there is time for.) */
  bursts?: number;
  /** (Default: the terminal, or lines on stdout.) */
  openScreen?: (startedMs: number) => Screen;
}

export class LabStage implements Play {
  readonly #options: LabOptions;
  readonly #directory: string;
  readonly #logs: string;
  readonly #sumLog: string;
  readonly #random: Random;
  readonly #over = new AbortController();
  readonly #startedMs = Date.now();
  readonly #jobs: LabJob[] = [];
  #replicas: number[] = [];
  #salad: SimulatedSalad | undefined;
  #agents: Agents | undefined;
  #starting: Promise<LocalApi> | undefined;
  #api: LocalApi | undefined;
  #screen: Screen | undefined;
  #groupId = "";
  #bursts = 0;
  #zeros = 0;
  #mostReplicas = 0;

  constructor(options: LabOptions, directory: string, interrupted: AbortSignal) {
    this.#options = options;
    this.#directory = directory;
    this.#logs = join(directory, "logs");
    this.#sumLog = join(this.#logs, "sum.jsonl");
    this.#random = new Random(options.seed);
    interrupted.addEventListener("abort", () => this.#over.abort(), { once: true });
    mkdirSync(this.#logs, { recursive: true });
  }

  async play(): Promise<boolean> {
    const { nodes, durationMs, seed } = this.#options;
    console.log(
      `Seed ${seed}: up to ${nodes} instances, bursts of jobs for ${(durationMs / 60_000).toFixed(1)} min, then until nothing is left.`,
    );
    const { problems, lines } = await this.run();
    for (const line of lines) console.log(line);
    for (const problem of problems) console.error(`✗ ${problem}`);
    if (problems.length === 0) {
      console.log("\nAll is right.");
      return true;
    }
    console.error(`\nNot all is right.\n${this.tails()}`);
    console.error(`The logs are in ${this.keepLogs()}`);
    return false;
  }

  async run(): Promise<LabVerdict> {
    const { api, client, salad, agents } = await this.#start();
    this.#screen = (this.#options.openScreen ?? openScreen)(this.#startedMs);
    const ended = api.exited.then(({ code }) => {
      if (this.#over.signal.aborted) return new Promise<never>(() => undefined);
      throw new Error(`the API ended with code ${code}`);
    });
    const watching = new AbortController();
    const until = AbortSignal.any([watching.signal, this.#over.signal]);
    const views = Promise.all([this.#watch(salad, agents, client, until), this.#cron(api, until)]);
    try {
      await Promise.race([this.#course(client, salad), ended, agents.failed]);
    } finally {
      watching.abort();
      await views;
    }
    this.closeScreen();
    return await this.#judge(api, client, salad, agents);
  }

  async #start() {
    const { nodes } = this.#options;
    const random = this.#random.fork();
    const { organization, saladKey } = settings;
    let connection: { api: LocalApi; key: string } | undefined;
    const drawn = ([least, most]: readonly [number, number]) => Math.round(random.between(least, most));
    const agentsRandom = this.#random.fork();
    const hardwareRandom = this.#random.fork();
    const salad: SimulatedSalad = await SimulatedSalad.start({
      requestsPerMinute: saladRequestsPerMinute,
      preparingMs: () => drawn(settings.preparingMs),
      hardware: () => ({
        speed: speedAt(hardwareRandom.next()),
        line: hardwareRandom.pick(measuredLines),
      }),
      pace: () => ({
        allocatingMs: drawn(settings.allocatingMs),
        downloadingMs: drawn(settings.downloadingMs),
        creatingMs: drawn(settings.creatingMs),
        stoppingMs: settings.stoppingMs,
        livesMs: Math.max(settings.leastLifeMs, Math.round(random.exponential(settings.livesMs))),
      }),
      watcher: (cloud) => {
        this.#agents = new Agents({
          cloud,
          random: agentsRandom,
          directory: join(this.#directory, "instances"),
          logDirectory: this.#logs,
          api: () => {
            if (!connection) throw new Error("an instance runs before the API is up");
            return connection;
          },
          imdsUrl: (instanceId) => salad.imdsUrl(instanceId),
          ...{ zombieShare: settings.zombieShare, frozenMs: settings.frozenMs, zombieMs: settings.zombieMs },
          tell: (text) => this.#screen?.note(text),
        });
        return this.#agents;
      },
    });
    this.#salad = salad;
    const agents = this.#agents;
    if (!agents) throw new Error("nobody gives the instances a life");
    salad.controls.addOrganization({ name: organization, keys: [saladKey], replicasQuota: nodes });
    this.#groupId = salad.controls.addGroup({ organization, name: settings.group, stopped: true }).id;

    console.log("Starting the API…");
    this.#starting = startLocalApi({
      persistTo: join(this.#directory, "api"),
      vars: { SALAD_API_URL: salad.apiUrl, SALAD_JWKS_URL: salad.jwksUrl, SALAD_API_KEY: saladKey },
      signal: this.#over.signal,
      onLine: (line) => appendFileSync(join(this.#logs, "api.log"), `${line}\n`),
    });
    const api = await this.#starting;
    this.#api = api;
    const client = await createClient(api, organization);
    connection = { api, key: client.key };
    await client.addScalingRule({
      container_group_id: this.#groupId,
      min_replicas: 0,
      max_replicas: nodes,
      ...settings.rule,
    });
    return { api, client, salad, agents };
  }

  /** Bursts, each of which is over when its jobs are and nothing runs any more. */
  async #course(client: Client, salad: SimulatedSalad): Promise<void> {
    const { durationMs, bursts = Number.POSITIVE_INFINITY } = this.#options;
    const lastBurstMs = Date.now() + durationMs;
    do {
      await this.#submit(client);
      const deadlineMs = Date.now() + settings.deadlineMs;
      while (!(await this.#isOver(client, salad))) {
        if (Date.now() > deadlineMs)
          throw new Error(`burst ${this.#bursts} was not over after ${settings.deadlineMs / 1000} s`);
        await sleep(settings.lookMs, undefined, { signal: this.#over.signal });
      }
      this.#zeros++;
      this.#screen?.event(`burst ${this.#bursts} is over: nothing runs any more`);
      await sleep(settings.pauseMs, undefined, { signal: this.#over.signal });
    } while (Date.now() < lastBurstMs && this.#bursts < bursts);
  }

  async #submit(client: Client): Promise<void> {
    const count = this.#options.nodes * settings.jobsPerNode;
    const [least, most] = settings.steps;
    const drawn = Array.from({ length: count }, (_, i) => ({
      name: `sum-${String(this.#jobs.length + i + 1).padStart(3, "0")}`,
      n: this.#random.int(least, most),
    }));
    const answers = await client.submit(
      drawn.map(({ name, n }) =>
        sumJob({
          ...{ name, n, containerGroupId: this.#groupId, logPath: this.#sumLog },
          stepSeconds: settings.stepSeconds,
          heartbeatIntervalSeconds: settings.heartbeatIntervalSeconds,
        }),
      ),
    );
    for (const [i, job] of drawn.entries()) this.#jobs.push({ ...job, id: answers[i]?.id ?? "" });
    this.#bursts++;
    this.#screen?.event(`burst ${this.#bursts}: ${count} jobs`);
  }

  async #isOver(client: Client, { cloud }: SimulatedSalad): Promise<boolean> {
    const group = cloud.groups.byId(this.#groupId);
    if (!group?.stopped || cloud.instances.of(group).length > 0) return false;
    const { jobs } = await client.group(this.#groupId);
    return jobs.pending + jobs.running === 0;
  }

  /** The minute's cron, oftener than it comes in production: the same handler. */
  async #cron(api: LocalApi, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(settings.cronEveryMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      const url = `${api.url}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`;
      await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(60_000)]) }).catch((error) => {
        if (!signal.aborted) this.#screen?.event(`the cron failed: ${error}`);
      });
    }
  }

  /** Looks at what is in this process often, and asks the API only for what is shown of it. */
  async #watch(salad: SimulatedSalad, agents: Agents, client: Client, signal: AbortSignal): Promise<void> {
    const { isTTY } = process.stdout;
    const tail = new SumLogTail(this.#sumLog);
    const countEveryMs = isTTY ? settings.countEveryMs.table : settings.countEveryMs.line;
    let countedMs = 0;
    let queue = "";
    for (let looks = 0; !signal.aborted; looks++) {
      const group = salad.cloud.groups.byId(this.#groupId);
      if (group) {
        const replicas = replicasOf(group);
        this.#mostReplicas = Math.max(this.#mostReplicas, replicas);
        if (looks % settings.looksPerSample === 0)
          this.#replicas = [...this.#replicas, replicas].slice(-keptSamples);
        const isDue = Date.now() - countedMs >= countEveryMs;
        if (isDue) {
          countedMs = Date.now();
          queue = await this.#queue(client, salad.cloud, group);
        }
        if (isTTY) {
          this.#screen?.show(
            this.#rows(salad.cloud, group, agents, tail),
            summaryOf(salad.cloud, group, queue),
            chartOf(this.#replicas, this.#options.nodes),
          );
        } else if (isDue) {
          const overTime = sparkline(this.#replicas, this.#options.nodes, settings.samplesOfLine);
          this.#screen?.event(`${summaryOf(salad.cloud, group, queue)}  ${overTime}`);
        }
      }
      await sleep(settings.lookMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #queue(client: Client, cloud: Cloud, group: Group): Promise<string> {
    try {
      const status = await client.group(this.#groupId);
      return queueInWords(status, new Set(cloud.instances.of(group).map(({ id }) => id)));
    } catch {
      return "not known"; // Shown, not judged by: the course asks for itself, and fails if it must.
    }
  }

  #rows(cloud: Cloud, group: Group, agents: Agents, tail: SumLogTail): Row[] {
    const instances = cloud.instances.of(group).map((instance) => ({
      instance,
      state: cloud.instances.stateOf(instance),
      hardware: cloud.machines.hardwareOf(instance.machineId),
    }));
    return rowsOf(instances, agents.containers, this.#jobs, tail.read());
  }

  async #judge(api: LocalApi, client: Client, salad: SimulatedSalad, agents: Agents): Promise<LabVerdict> {
    const bucket = openBucket(api.s3Endpoint);
    const read = async ({ id, name, n }: LabJob) => ({
      ...{ name, n },
      job: await client.job(id),
      output: await bucket.get(outputKeyOf(name)),
      attempts: await client.attempts(id),
    });
    const jobs: Awaited<ReturnType<typeof read>>[] = [];
    for (let at = 0; at < this.#jobs.length; at += settings.readAtOnce) {
      jobs.push(...(await Promise.all(this.#jobs.slice(at, at + settings.readAtOnce).map(read))));
    }
    const group = salad.cloud.groups.byId(this.#groupId);
    const requests = salad.controls.listRequests().filter(({ key }) => key === settings.saladKey);
    return judgeLab({
      jobs,
      log: readSumLog(this.#sumLog),
      hardware: agents.hardware,
      stepSeconds: settings.stepSeconds,
      bytes: agents.bytes,
      taken: agents.taken,
      takenEarly: agents.takenEarly,
      instancesLeft: group ? salad.cloud.instances.of(group).length : 0,
      status: group ? statusOf(salad.cloud, group) : "gone",
      interruptions: agents.interruptions,
      zombies: agents.zombies,
      agents: agents.started,
      requests: requests.length,
      tooMany: salad.cloud.requests.refused,
      bursts: this.#bursts,
      mostReplicas: this.#mostReplicas,
      zeros: this.#zeros,
    });
  }

  /** Of all that it has started. */
  get pids(): number[] {
    return [...(this.#agents?.pids ?? []), ...(this.#api ? [this.#api.pid] : [])];
  }

  closeScreen(): void {
    this.#screen?.close();
    this.#screen = undefined;
  }

  tails(): string {
    const agents = this.#agents ? `\nLast lines of the agents:\n${this.#agents.tails(12)}\n` : "";
    return this.#api ? `${agents}\nLast lines of the API:\n${this.#api.tail(20)}\n` : agents;
  }

  keepLogs(): string {
    const kept = join(projectRoot, "dist/lab", `seed-${this.#options.seed}-${this.#startedMs}`);
    cpSync(this.#logs, kept, { recursive: true });
    return kept;
  }

  async clear(): Promise<void> {
    this.#over.abort();
    this.closeScreen();
    await this.#agents?.close();
    // A start that failed or was given up has ended what it had started.
    await this.#starting?.then(
      (api) => api.stop(),
      () => undefined,
    );
    await this.#salad?.stop();
  }
}
