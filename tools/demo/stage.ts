/** The demo's course of events, and everything that it has running. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Job } from "../../src/contract/index.ts";
import { type LocalApi, startLocalApi } from "../local-api.ts";
import { type Client, createClient, openBucket } from "../local-client.ts";
import { openScreen, type Screen } from "../screen.ts";
import { outputKeyOf, sumJob } from "../sum-job.ts";
import { readSumLog } from "../sum-log.ts";
import { chooseVictim } from "../sum-progress.ts";
import { Fleet } from "./fleet.ts";
import { judge } from "./judge.ts";
import { Narrator } from "./narrator.ts";
import { reportOf } from "./report.ts";
import { type DemoJob, demoJobs, scenario } from "./scenario.ts";

const containerGroupId = "demo";
const tickMs = 250;

export class Stage {
  readonly #directory: string;
  readonly #logPath: string;
  readonly #interrupted: AbortSignal;
  readonly #startedMs = Date.now();
  #starting: Promise<LocalApi> | undefined;
  #api: LocalApi | undefined;
  #fleet: Fleet | undefined;
  #screen: Screen | undefined;

  constructor(directory: string, interrupted: AbortSignal) {
    this.#directory = directory;
    this.#logPath = join(directory, "sum-log.jsonl");
    this.#interrupted = interrupted;
  }

  /** True when every result is right. Says what it sees, and at the end what it found. */
  async play(): Promise<boolean> {
    console.log("Starting the API on this machine: embedded D1, Durable Objects and R2 …");
    this.#starting = startLocalApi({ persistTo: join(this.#directory, "api"), signal: this.#interrupted });
    const api = await this.#starting;
    this.#api = api;
    const client = await createClient(api, "demo");
    const jobs = await this.#submit(client);
    const [nodes, kills] = [scenario.nodes, scenario.killAtSeconds.length];
    console.log(
      `The API listens on ${api.url}. ${jobs.length} jobs are queued and ${nodes} nodes take them;`,
    );
    console.log(`${kills} nodes will be killed on the way, each in the middle of a job.\n`);

    const fleet = new Fleet({ api, key: client.key, containerGroupId, directory: this.#directory });
    this.#fleet = fleet;
    for (let node = 0; node < nodes; node += 1) fleet.start();
    this.#screen = openScreen(this.#startedMs);
    const apiGone = api.exited.then(({ code }) => Promise.reject(new Error(`The API ended (code ${code})`)));
    const ended = await Promise.race([this.#watch(client, jobs, fleet, this.#screen), fleet.broken, apiGone]);
    this.closeScreen();
    await fleet.stop();
    return this.#conclude(api, fleet, jobs, ended);
  }

  closeScreen(): void {
    this.#screen?.close();
    this.#screen = undefined;
  }

  /** What the processes said last, for whoever must find out what went wrong. */
  tails(): string {
    const agents = this.#fleet ? `\nLast lines of the agents:\n${this.#fleet.tails(12)}\n` : "";
    return this.#api ? `${agents}\nLast lines of the API:\n${this.#api.tail(20)}\n` : agents;
  }

  /** Ends all that was started, also in the middle of starting. */
  async clear(): Promise<void> {
    this.closeScreen();
    await this.#fleet?.stop();
    // A start that failed or was given up has ended what it had started.
    await this.#starting?.then(
      (api) => api.stop(),
      () => undefined,
    );
  }

  async #submit(client: Client): Promise<DemoJob[]> {
    const { stepSeconds, heartbeatIntervalSeconds } = scenario;
    const common = { stepSeconds, heartbeatIntervalSeconds, containerGroupId, logPath: this.#logPath };
    const answers = await client.submit(demoJobs.map((job) => sumJob({ ...job, ...common })));
    return demoJobs.map((job, index) => ({ ...job, id: answers[index]?.id ?? "" }));
  }

  /** Shows what goes on and kills nodes by plan, until the API says that every job has ended. Returns its last word. */
  async #watch(client: Client, jobs: DemoJob[], fleet: Fleet, screen: Screen): Promise<Job[]> {
    const narrator = new Narrator(jobs, screen);
    const kills = [...scenario.killAtSeconds];
    const deadlineMs = Date.now() + scenario.deadlineSeconds * 1000;
    screen.event(`${[...fleet.alive()].join(", ")} start`);
    for (;;) {
      const answers = await client.jobs(containerGroupId);
      this.#interrupted.throwIfAborted();
      const { events } = readSumLog(this.#logPath);
      const rows = narrator.update(events, answers);
      const ended = answers.filter(({ status }) => status !== "pending" && status !== "running");
      const nodes = [...fleet.alive()].join(", ");
      screen.show(rows, `${ended.length} of ${jobs.length} jobs ended; nodes: ${nodes}`);
      if (ended.length === jobs.length) return answers;
      if (Date.now() > deadlineMs) throw new Error(`Not all jobs ended within ${scenario.deadlineSeconds} s`);

      const sinceFirstStepMs = Date.now() - (events[0]?.time ?? Date.now());
      if (kills[0] !== undefined && sinceFirstStepMs >= kills[0] * 1000) {
        const steps = { before: scenario.stepsBeforeKill, after: scenario.stepsAfterKill };
        const victim = chooseVictim(narrator.jobs(), fleet.alive(), steps);
        if (victim !== undefined) {
          kills.shift();
          const killedMs = await fleet.kill(victim);
          narrator.killed(victim, killedMs, fleet.start());
        }
      }
      await sleep(tickMs, undefined, { signal: this.#interrupted });
    }
  }

  async #conclude(api: LocalApi, fleet: Fleet, jobs: DemoJob[], ended: Job[]): Promise<boolean> {
    const bucket = openBucket(api.s3Endpoint);
    const outputs = new Map<string, string>();
    for (const { id, name } of jobs) {
      const output = await bucket.get(outputKeyOf(name));
      if (output !== undefined) outputs.set(id, output);
    }
    const nodes = fleet.lives();
    const verdict = judge({ jobs, log: readSumLog(this.#logPath), outputs, nodes });
    const kills = nodes.filter(({ killedMs }) => killedMs !== undefined).length;
    console.log(reportOf(verdict, jobs.length, kills));
    console.log(`  all of it took           ${((Date.now() - this.#startedMs) / 1000).toFixed(0)} s\n`);

    const failures = [...verdict.failures, ...otherFailures(ended, verdict.resumptions.length, kills)];
    if (failures.length === 0) {
      console.log("Every result is right.");
      return true;
    }
    console.error(`Not right:\n${failures.map((failure) => `  - ${failure}`).join("\n")}\n${this.tails()}`);
    return false;
  }
}

/** Beside the judge, who does not ask the API: does it agree, and has the demo shown what it is for? */
function otherFailures(ended: Job[], resumptions: number, kills: number): string[] {
  const planned = scenario.killAtSeconds.length;
  return [
    ...ended
      .filter(({ status }) => status !== "completed")
      .map(({ id, status }) => `The API says that ${id} is ${status}`),
    ...(kills < planned
      ? [`Only ${kills} of ${planned} nodes could be killed: the jobs were too short`]
      : []),
    ...(resumptions < kills ? [`${kills} nodes were killed, but only ${resumptions} jobs resumed`] : []),
  ];
}
