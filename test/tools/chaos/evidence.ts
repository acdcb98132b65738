/**
 * A run in which everything went well, to be doctored: the job's first attempt is on node-1, which is cut off after step 4 and
 * wakes up as a zombie; its second on node-2, which ends it.
 */
import type { ChaosJob, Evidence } from "../../../tools/chaos/judge/evidence.ts";
import type { StorageRequest } from "../../../tools/chaos/logs/storage-log.ts";
import type { Claim, EndReport, Renewal } from "../../../tools/chaos/logs/wire-log.ts";
import { outputKeyOf } from "../../../tools/sum-job.ts";
import type { SumEvent } from "../../../tools/sum-log.ts";
import { sumTo } from "../../../tools/sum-verdict.ts";

export const job: ChaosJob = { id: "a", name: "sum-a", n: 6 };

/** The second attempt is granted then. */
export const handOverMs = 25_000;

const answered = (headMs: number, status: number) => ({
  headMs,
  bodyMs: headMs + 1,
  answeredMs: headMs + 5,
  status,
});

export const claim = (node: string, attempt: number, answeredMs: number, claimId = node): Claim => ({
  ...answered(answeredMs - 5, 200),
  ...{ kind: "claim", node, claimId, granted: { job: job.id, attempt } },
});

export const renewal = (node: string, attempt: number, headMs: number, told: Renewal["told"]): Renewal => ({
  ...answered(headMs, 200),
  ...{ kind: "renewal", node, job: job.id, attempt, told },
  ...(told === "canceled" ? { reason: "superseded" } : {}),
});

export const report = (
  node: string,
  attempt: number,
  headMs: number,
  status: number,
  end: EndReport["end"] = "completed",
): EndReport => ({ ...answered(headMs, status), ...{ kind: "report", node, job: job.id, attempt, end } });

/** The API died over it. */
export const unanswered = <T extends Claim | EndReport>(event: T): T => ({
  ...event,
  ...{ answeredMs: undefined, status: undefined, granted: undefined },
});

export const checkpointKey = (step: number) => `checkpoints/${job.name}/step-00000${step}.json`;

export const put = (node: string, key: string, headMs: number): StorageRequest => ({
  ...answered(headMs, 200),
  ...{ node, method: "PUT", key },
});

export function line(machine: string, event: SumEvent["event"], step: number, time: number): SumEvent {
  return {
    time,
    job: job.id,
    pid: 7,
    machine,
    event,
    step,
    sum: sumTo(step),
    ms: event === "step" ? 900 : 0,
  };
}

export function rightEvidence(): Evidence {
  const before = [1, 2, 3, 4];
  const after = [5, 6];
  return {
    jobs: [job],
    log: {
      events: [
        line("node-1", "start", 0, 1500),
        ...before.map((step) => line("node-1", "step", step, 1000 + step * 1000)),
        line("node-2", "resume", 4, handOverMs + 500),
        ...after.map((step) => line("node-2", "step", step, handOverMs + 500 + (step - 4) * 1000)),
        line("node-2", "done", 6, 27_600),
        // The zombie, awake again.
        line("node-1", "step", 5, 29_000),
      ],
      unreadable: [],
    },
    wire: [
      claim("node-1", 1, 1000),
      renewal("node-1", 1, 1010, "running"),
      claim("node-2", 2, handOverMs),
      renewal("node-2", 2, 25_010, "running"),
      report("node-2", 2, 28_000, 200),
      renewal("node-1", 1, 29_100, "canceled"),
      report("node-1", 1, 29_200, 409),
    ],
    storage: [
      ...before.map((step) => put("node-1", checkpointKey(step), 1100 + step * 1000)),
      ...after.map((step) => put("node-2", checkpointKey(step), 25_600 + (step - 4) * 1000)),
      put("node-2", outputKeyOf(job.name), 27_800),
    ],
    faults: [
      { kind: "cut", node: "node-1", what: "cut", combined: false, startMs: 5500, endMs: 29_000 },
      { kind: "API killed", what: "killed", combined: true, startMs: 26_500, endMs: 27_000 },
    ],
    outputs: new Map([[job.id, '{"n":6,"sum":21}\n']]),
    checkpoints: new Set([...before, ...after].map(checkpointKey)),
  };
}
