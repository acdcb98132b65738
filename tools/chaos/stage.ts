/** The course of a run: the storm, the calm after it, the judgement; and everything that it has running. */
import { cpSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Random } from "../../test/simulation/world/random.ts";
import { type Client, createClient, openBucket } from "../local-client.ts";
import type { Play } from "../processes/run-to-the-end.ts";
import { projectRoot } from "../project.ts";
import { openScreen, type Screen } from "../screen.ts";
import { checkpointPrefixOf, outputKeyOf } from "../sum-job.ts";
import { readSumLog } from "../sum-log.ts";
import { MortalApi } from "./api.ts";
import type { Blow } from "./faults/blow.ts";
import { planBlows } from "./faults/plan.ts";
import { Fleet } from "./fleet.ts";
import type { Evidence } from "./judge/evidence.ts";
import { brokenPromises, judge, type Verdict } from "./judge/judge.ts";
import { FaultRecord } from "./logs/fault-log.ts";
import { Journal, readJournal } from "./logs/journal.ts";
import { LiveWire } from "./logs/live-wire.ts";
import { StorageRequest } from "./logs/storage-log.ts";
import { SumLogTail } from "./logs/sum-log-tail.ts";
import { type EndReport, WireEvent } from "./logs/wire-log.ts";
import { reportOf } from "./report.ts";
import { leaseSeconds, settings } from "./settings.ts";
import { Storm } from "./storm.ts";
import { Submissions } from "./submissions.ts";
import { rowsOf, workByNode, worthwhileVictims } from "./view.ts";

export interface ChaosOptions {
  seed: number;
  /** For so long, blows fall; the last ones end in their own time. */
  stormMs: number;
  /** Default 5. */
  nodes?: number;
  /** Jobs that are submitted and not ended, per node: the queue never runs dry. Default 2. */
  jobsPerNode?: number;
  /** Default: drawn from the seed, endless. */
  plan?: Iterator<Blow>;
  /** Default: the terminal, or lines on stdout. */
  openScreen?: (startedMs: number) => Screen;
}

const containerGroupId = "chaos";
const tickMs = 500;

export class ChaosStage implements Play {
  readonly #options: Required<ChaosOptions>;
  readonly #directory: string;
  readonly #logs: string;
  /** All that goes on here ends with it. */
  readonly #over = new AbortController();
  readonly #startedMs = Date.now();
  readonly #random: Random;
  readonly #paths: Record<"sum" | "wire" | "storage" | "faults", string>;
  readonly #live = new LiveWire();
  #starting: Promise<MortalApi> | undefined;
  #api: MortalApi | undefined;
  #fleet: Fleet | undefined;
  #screen: Screen | undefined;

  constructor(options: ChaosOptions, directory: string, interrupted: AbortSignal) {
    this.#random = new Random(options.seed);
    const plan = planBlows(this.#random.fork());
    this.#options = { nodes: 5, jobsPerNode: 2, plan, openScreen, ...options };
    this.#directory = directory;
    interrupted.addEventListener("abort", () => this.#over.abort(interrupted.reason));
    this.#logs = join(directory, "logs");
    mkdirSync(this.#logs, { recursive: true });
    const path = (name: string) => join(this.#logs, `${name}.jsonl`);
    this.#paths = { sum: path("sum"), wire: path("wire"), storage: path("storage"), faults: path("faults") };
  }

  /** True when every promise was kept. Says what it sees, and at the end what it found. */
  async play(): Promise<boolean> {
    const { seed, stormMs } = this.#options;
    const minutes = (stormMs / 60_000).toFixed(1);
    console.log(
      `Chaos with seed ${seed}: ${minutes} min of faults, then calm until every job has ended. Starting the API …`,
    );
    const verdict = await this.run();
    const seconds = (Date.now() - this.#startedMs) / 1000;
    console.log(`${reportOf(verdict, { seed, seconds })}\n`);
    const broken = brokenPromises(verdict);
    if (broken.length === 0) {
      console.log("Every promise was kept.");
      return true;
    }
    console.error(`Broken promises:\n${broken.map((words) => `  - ${words}`).join("\n")}\n${this.tails()}`);
    console.error(`The logs are in ${this.keepLogs()}`);
    return false;
  }

  /** The storm, the calm, the judgement. Rejects when the run itself fails. */
  async run(): Promise<Verdict> {
    this.#starting = MortalApi.start({
      persistTo: join(this.#directory, "api"),
      logPath: join(this.#logs, "api.log"),
      signal: this.#over.signal,
    });
    const api = await this.#starting;
    this.#api = api;
    const client = await createClient(api.local, "chaos");
    const fleet = this.#openFleet(api, client);
    this.#fleet = fleet;
    for (let node = 0; node < this.#options.nodes; node += 1) await fleet.start();
    this.#screen = this.#options.openScreen(this.#startedMs);
    const submissions = this.#openSubmissions(client);
    const course = this.#takeCourse(api, fleet, client, submissions);
    const impolite = await Promise.race([course, fleet.broken, api.broken]);
    this.closeScreen();
    const verdict = judge(await this.#collect(api, submissions));
    verdict.other.push(...impolite);
    return verdict;
  }

  closeScreen(): void {
    this.#screen?.close();
    this.#screen = undefined;
  }

  tails(): string {
    const agents = this.#fleet ? `\nLast lines of the agents:\n${this.#fleet.tails(12)}\n` : "";
    return this.#api ? `${agents}\nLast lines of the API:\n${this.#api.tail(20)}\n` : agents;
  }

  keepLogs(): string {
    const kept = join(projectRoot, "dist/chaos", `seed-${this.#options.seed}-${this.#startedMs}`);
    cpSync(this.#logs, kept, { recursive: true });
    return kept;
  }

  async clear(): Promise<void> {
    this.#over.abort();
    this.closeScreen();
    await this.#fleet?.close();
    // A start that failed or was given up has ended what it had started.
    await this.#starting?.then(
      (api) => api.stop(),
      () => undefined,
    );
  }

  #openFleet(api: MortalApi, client: Client): Fleet {
    const wire = new Journal<WireEvent>(this.#paths.wire);
    return new Fleet({
      apiPort: () => api.port,
      key: client.key,
      containerGroupId,
      directory: this.#directory,
      logDirectory: this.#logs,
      storage: new Journal<StorageRequest>(this.#paths.storage),
      wire: {
        append: (event) => {
          wire.append(event);
          this.#live.note(event);
          if (event.kind === "report" && event.status === 409) this.#tellRefused(event);
        },
      },
    });
  }

  #tellRefused({ node, end, attempt, reason }: EndReport): void {
    this.#screen?.event(`⛔ a report of ${node} is refused (${end} of attempt ${attempt}: ${reason})`);
  }

  #openSubmissions(client: Client): Submissions {
    const { nodes, jobsPerNode } = this.#options;
    return new Submissions({
      client,
      signal: this.#over.signal,
      random: this.#random.fork(),
      containerGroupId,
      logPath: this.#paths.sum,
      ended: () => this.#live.ended.size,
      outstanding: nodes * jobsPerNode,
    });
  }

  /** From the first job to the last agent's leave. Returns which agents did not leave when asked to, in words. */
  async #takeCourse(
    api: MortalApi,
    fleet: Fleet,
    client: Client,
    submissions: Submissions,
  ): Promise<string[]> {
    const watched = new AbortController();
    const tail = new SumLogTail(this.#paths.sum);
    const watching = this.#watch(fleet, submissions, tail, watched.signal);
    const enough = new AbortController();
    const submitting = submissions.run(enough.signal);
    const faults = new Journal<FaultRecord>(this.#paths.faults);
    const storm = new Storm({
      ground: { api, fleet, signal: this.#over.signal },
      plan: this.#options.plan,
      random: this.#random.fork(),
      worthwhile: () => worthwhileVictims(workByNode(submissions.jobs, tail.read(), this.#live)),
      onFault: ({ what }, victim) => this.#screen?.event(`✗ ${victim ? `${victim.name}: ` : ""}${what}`),
      onOver: (record) => {
        faults.append(record);
        if (record.kind !== "agent killed") this.#screen?.event(`↻ ${record.node ?? "the API"} is back`);
      },
    });
    try {
      await storm.run(Date.now() + this.#options.stormMs);
      enough.abort();
      await submitting;
      this.#screen?.event("the storm is over");
      await this.#untilAllEnded(client);
      return await fleet.leave(settings.leaveGraceSeconds * 1000);
    } finally {
      enough.abort();
      watched.abort();
      await watching;
    }
  }

  async #watch(fleet: Fleet, submissions: Submissions, tail: SumLogTail, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const work = workByNode(submissions.jobs, tail.read(), this.#live);
      const summary = `${this.#live.ended.size} of ${submissions.jobs.length} jobs ended; leases of ${leaseSeconds} s`;
      this.#screen?.show(rowsOf(fleet.alive(), work), summary);
      await sleep(tickMs, undefined, { signal }).catch(() => undefined);
    }
  }

  /** By the API's word, which only tells when to look: the judge does not ask it. */
  async #untilAllEnded(client: Client): Promise<void> {
    const deadlineMs = Date.now() + settings.calmDeadlineSeconds * 1000;
    for (;;) {
      const open = await Promise.all([
        client.jobs(containerGroupId, "pending"),
        client.jobs(containerGroupId, "running"),
      ]);
      const left = open.flat();
      if (left.length === 0) return;
      if (Date.now() > deadlineMs) {
        const some = left.slice(0, 5).map(({ id, status, attempt }) => `${id} ${status}, attempt ${attempt}`);
        throw new Error(
          `${left.length} jobs have not ended ${settings.calmDeadlineSeconds} s after the storm: ${some.join("; ")}`,
        );
      }
      await sleep(tickMs, undefined, { signal: this.#over.signal });
    }
  }

  async #collect(api: MortalApi, { jobs }: Submissions): Promise<Evidence> {
    const bucket = openBucket(api.local.s3Endpoint);
    const outputs = new Map<string, string>();
    const checkpoints = new Set<string>();
    for (const { id, name } of jobs) {
      const output = await bucket.get(outputKeyOf(name));
      if (output !== undefined) outputs.set(id, output);
      for (const key of await bucket.list(checkpointPrefixOf(name))) checkpoints.add(key);
    }
    return {
      jobs,
      log: readSumLog(this.#paths.sum),
      wire: readJournal(this.#paths.wire, WireEvent),
      storage: readJournal(this.#paths.storage, StorageRequest),
      faults: readJournal(this.#paths.faults, FaultRecord),
      outputs,
      checkpoints,
    };
  }
}
