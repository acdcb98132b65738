/** What a job waits for when nothing but the system keeps it waiting: each measured once per call, on agents of its own. */
import { randomUUID } from "node:crypto";
import { appendFile, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { Job } from "../../src/contract/index.ts";
import type { LocalAgent } from "../local-agent.ts";
import type { SubmittedJob } from "../local-client.ts";
import { sumJob } from "../sum-job.ts";
import { endOf } from "./end-of-job.ts";
import { startIdleAgent } from "./idle-agent.ts";
import { type Ground, until } from "./storage-agent.ts";

export interface DeadTime {
  name: string;
  /** Measured on the original, heartbeat as told; for the table. */
  original: string;
  aim: string;
  /** Seconds. `round` names the queue: another one each time. */
  measure(ground: Ground, round: string): Promise<number>;
}

/** The contract's default: the original's dead times grow with it. */
const heartbeatDefaultSeconds = 30;

export const deadTimes: DeadTime[] = [
  {
    name: "command exits → completed, no uploads",
    original: "30 (5 at 5)",
    aim: "0.2",
    measure: withAgents(1, async ({ ground, group, lines, path }) => {
      const job = await submit(ground, group, 'sleep 0.3; date +%s%N >> "$0"', path);
      const { completed } = await ended(ground, job);
      const [exitMs] = await lines(1);
      return (Date.parse(completed ?? "") - (exitMs ?? 0)) / 1000;
    }),
  },
  {
    name: "cancel → command signalled",
    original: "3 or never",
    aim: "0.5",
    measure: withAgents(1, async ({ ground, group, lines, path }) => {
      const { id } = await submit(ground, group, untilSignalled, path);
      await lines(1);
      await note(path);
      await ground.client.cancel(id);
      const [, canceledMs, signalledMs] = await lines(3);
      return ((signalledMs ?? Number.NaN) - (canceledMs ?? 0)) / 1000;
    }),
  },
  {
    name: "exit code 1 → next attempt on another idle agent",
    original: "18.6",
    aim: "0.5",
    measure: withAgents(2, async ({ ground, group, lines, path }) => {
      const job = await submit(ground, group, 'date +%s%N >> "$0"; [ $(wc -l < "$0") -ge 2 ]', path);
      const [failedMs, againMs] = await lines(2);
      await ended(ground, job);
      return ((againMs ?? Number.NaN) - (failedMs ?? 0)) / 1000;
    }),
  },
  {
    name: "SIGTERM to the agent → resumed elsewhere (command ends at once)",
    original: "10.6, an orphan",
    aim: "1.0",
    measure: withAgents(2, async ({ ground, group, lines, path, agents }) => {
      const script = `if [ -e "$0" ]; then date +%s%N >> "$0"; exit 0; fi; ${untilSignalled}`;
      const job = await submit(ground, group, script, path);
      await lines(1);
      const [attempt] = await ground.client.attempts(job.id);
      const holder = agents.find(({ machineId }) => machineId === attempt?.machine_id);
      if (!holder) throw new Error(`nobody has the job: ${JSON.stringify(attempt)}`);
      await note(path);
      holder.signal("SIGTERM");
      const [, termMs, , resumedMs] = await lines(4);
      await ended(ground, job);
      return ((resumedMs ?? Number.NaN) - (termMs ?? 0)) / 1000;
    }),
  },
  {
    name: "ten steps of 0.5 s, submitted → completed, nothing stored",
    original: "20",
    aim: "5.6",
    measure: withAgents(1, ({ ground, group }) => tenSteps(ground, group, false)),
  },
  {
    name: "the same with ten checkpoints and an output on S3",
    original: "–",
    aim: "–",
    measure: withAgents(1, ({ ground, group }) => tenSteps(ground, group, true)),
  },
];

/** Tells that it runs, then when it is signalled, and ends at once. `wait` is left for a signal, a plain `sleep` is not. */
const untilSignalled =
  'trap \'date +%s%N >> "$0"; kill $!; exit 0\' TERM; date +%s%N >> "$0"; sleep 100 & wait';

interface Scene {
  ground: Ground;
  group: string;
  /** A file of times in nanoseconds, one a line. */
  path: string;
  /** The first so many of them, once they are there; milliseconds. */
  lines(count: number): Promise<number[]>;
  agents: LocalAgent[];
}

function withAgents(count: number, measure: (scene: Scene) => Promise<number>): DeadTime["measure"] {
  return async (ground, round) => {
    const group = `dead-time-${round}`;
    const path = join(ground.directory, `${group}.times`);
    const starting = Array.from({ length: count }, (_, n) => startIdleAgent(ground, group, `${group}-${n}`));
    const agents = await Promise.all(starting);
    const lines = (wanted: number) =>
      until(async () => {
        const times = (await readFile(path, "utf8").catch(() => "")).split("\n").slice(0, -1);
        return times.length < wanted ? undefined : times.map((time) => Number(time) / 1e6);
      }, 20);
    try {
      return await measure({ ground, group, path, lines, agents });
    } finally {
      await Promise.all(agents.map((agent) => agent.kill()));
    }
  };
}

async function submit({ client }: Ground, group: string, script: string, path: string): Promise<Job> {
  const job: SubmittedJob = {
    command: "sh",
    arguments: ["-c", script, path],
    container_group_id: group,
    heartbeat_interval: heartbeatDefaultSeconds,
    sync: {},
  };
  return await submitOne(client, job);
}

async function submitOne(client: Ground["client"], job: SubmittedJob): Promise<Job> {
  const [submitted] = await client.submit([job]);
  if (!submitted) throw new Error("the API answered an empty batch");
  return submitted;
}

async function ended(ground: Ground, { id }: Job): Promise<Job> {
  const job = await endOf(ground, id, 50);
  if (job.status !== "completed") throw new Error(`${id} ended ${job.status}: ${job.failed_reason}`);
  return job;
}

/** Beside the command's own lines: now. */
async function note(path: string): Promise<void> {
  await appendFile(path, `${Math.round((performance.timeOrigin + performance.now()) * 1e6)}\n`);
}

async function tenSteps(ground: Ground, group: string, stored: boolean): Promise<number> {
  const job = sumJob({
    name: `${group}-${randomUUID()}`,
    n: 10,
    stepSeconds: 0.5,
    containerGroupId: group,
    logPath: join(ground.directory, `${group}.jsonl`),
    heartbeatIntervalSeconds: heartbeatDefaultSeconds,
  });
  const sentMs = performance.timeOrigin + performance.now();
  const submitted = await submitOne(ground.client, stored ? job : { ...job, sync: {} });
  const { completed } = await ended(ground, submitted);
  return (Date.parse(completed ?? "") - sentMs) / 1000;
}
