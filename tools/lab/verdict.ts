/** What the lab has shown: from the jobs' own log and outputs, the attempts, and what the simulated SaladCloud did. Pure. */
import type { Attempt, Job } from "../../src/contract/index.ts";
import type { Hardware } from "../../test/salad/hardware.ts";
import type { SumLog } from "../sum-log.ts";
import { countSteps, judgeEvents, judgeOutput, type StepCounts } from "../sum-verdict.ts";

export interface LabEvidence {
  jobs: { job: Job; name: string; n: number; output: string | undefined; attempts: Attempt[] }[];
  log: SumLog;
  /** By machine. */
  hardware: ReadonlyMap<string, Hardware>;
  /** Of a step, at speed 1. */
  stepSeconds: number;
  /** Over all lines. */
  bytes: { up: number; down: number };
  /** When scale-in began to take an instance away; of those that ran. */
  taken: ReadonlyMap<string, number>;
  /** Taken by scale-in before they ran. */
  takenEarly: number;
  instancesLeft: number;
  status: string;
  interruptions: number;
  zombies: number;
  agents: number;
  requests: number;
  tooMany: number;
  bursts: number;
  mostReplicas: number;
  /** How often nothing was left after a burst. */
  zeros: number;
}

export interface LabVerdict {
  problems: string[];
  lines: string[];
}

export function judgeLab(evidence: LabEvidence): LabVerdict {
  const { jobs, log, taken } = evidence;
  const problems: string[] = [];
  for (const { job, name, n, output } of jobs) {
    const events = log.events.filter((event) => event.job === job.id);
    const wrong = [
      ...(job.status === "completed" ? [] : [`is ${job.status}`]),
      ...judgeOutput(n, output),
      ...judgeEvents(n, events),
    ];
    problems.push(...wrong.map((what) => `${name} ${what}`));
  }
  const lost = jobs.flatMap(({ name, attempts }) =>
    attempts
      .filter(({ instance_id, end, ended }) => {
        const takenMs = taken.get(instance_id ?? "");
        return (
          takenMs !== undefined && end !== "completed" && (ended === null || Date.parse(ended) >= takenMs)
        );
      })
      .map(({ number, end }) => `attempt ${number} of ${name} (${end})`),
  );
  problems.push(...lost.map((what) => `scale-in took ${what}`));
  if (evidence.status !== "stopped") problems.push(`the group is ${evidence.status} at the end`);
  if (evidence.instancesLeft > 0) problems.push(`${evidence.instancesLeft} instances are left at the end`);
  if (evidence.zeros < evidence.bursts)
    problems.push(`${evidence.bursts - evidence.zeros} bursts did not end with nothing left`);
  if (evidence.tooMany > 0) problems.push(`SaladCloud refused ${evidence.tooMany} requests for their number`);
  problems.push(...judgeSpeeds(evidence));
  if (log.unreadable.length > 0) problems.push(`the jobs' log has ${log.unreadable.length} unreadable lines`);
  const steps = jobs.map(({ job }) => countSteps(log.events.filter((event) => event.job === job.id)));
  const sum = (count: (one: StepCounts) => number) => steps.reduce((total, one) => total + count(one), 0);
  const attempts = jobs.flatMap((one) => one.attempts);
  const rows: [string, string | number][] = [
    ["bursts", evidence.bursts],
    ["jobs completed", `${jobs.filter(({ job }) => job.status === "completed").length} of ${jobs.length}`],
    [
      "attempts",
      `${attempts.length} (${attempts.filter(({ end }) => end === "interrupted").length} interrupted)`,
    ],
    ["agents started", evidence.agents],
    ["machines that vanished", `${evidence.interruptions}, ${evidence.zombies} of them came back as zombies`],
    ["machines' speeds", rangeOf([...evidence.hardware.values()].map(({ speed }) => speed))],
    ["over their lines", `${kilobytes(evidence.bytes.up)} up, ${kilobytes(evidence.bytes.down)} down`],
    [
      "instances taken by scale-in",
      `${taken.size}, ${lost.length} of them with a lease; ${evidence.takenEarly} more before they ran`,
    ],
    ["steps computed twice", `${sum(({ twice }) => twice)} of ${sum(({ computed }) => computed)}`],
    ["most replicas", evidence.mostReplicas],
    ["nothing left after a burst", `${evidence.zeros} of ${evidence.bursts}`],
    ["requests to Salad's API", evidence.requests],
  ];
  return { problems, lines: rows.map(([name, value]) => `${name.padEnd(30)} ${value}`) };
}

/** A timer may be early by a millisecond, and the log rounds. */
const timerMs = 2;

/** No machine may be faster than it is: else its speed has not reached its command. */
function judgeSpeeds({ log, hardware, stepSeconds }: LabEvidence): string[] {
  const steps = log.events.filter(({ event }) => event === "step");
  const tooFast = new Set(
    steps
      .filter(({ machine, ms }) => {
        const { speed } = hardware.get(machine) ?? { speed: Number.NaN };
        return !(ms !== undefined && ms >= (stepSeconds * 1_000) / speed - timerMs);
      })
      .map(({ machine }) => machine),
  );
  return [...tooFast].map((machine) => `machine ${machine} computed faster than it can`);
}

function rangeOf(numbers: number[]): string {
  if (numbers.length === 0) return "none";
  return `${Math.min(...numbers).toFixed(2)} to ${Math.max(...numbers).toFixed(2)}, of ${numbers.length} machines`;
}

const kilobytes = (bytes: number) => `${Math.round(bytes / 1_000)} kB`;
