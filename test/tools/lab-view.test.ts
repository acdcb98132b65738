/** What the lab shows of instances, and how it tells the queue. */
import { expect, test } from "vitest";
import type { GroupStatus } from "../../src/contract/index.ts";
import { chartOf, queueInWords, rowsOf, sparkline, summaryOf } from "../../tools/lab/view.ts";
import { createCloud } from "../salad/cloud.ts";
import { startGroup } from "../salad/group-calls.ts";
import { medianLine } from "../salad/hardware.ts";
import type { Instance } from "../salad/instances.ts";

type Seen = Pick<GroupStatus, "jobs" | "agents">;

const agent = (instanceId: string | null, jobs: number) =>
  ({
    ...{ machine_id: "m", instance_id: instanceId },
    jobs: Array.from({ length: jobs }, (_, i) => ({ job_id: `job-${i}`, attempt: 1 })),
  }) as Seen["agents"][number];
const seen = (agents: Seen["agents"]): Seen => ({
  jobs: { pending: 5, running: 4, completed: 3, failed: 0, canceled: 0 },
  agents,
});

test("a lease that has outlived its node is told as such", () => {
  const there = new Set(["i1", "i2"]);
  expect(queueInWords(seen([agent("i1", 1), agent("i2", 1)]), there)).toBe("5 pending, 4 leased, 3 done");
  // Seen lately, and without a lease: nothing has outlived it.
  expect(queueInWords(seen([agent("i1", 1), agent("i3", 0)]), there)).toBe("5 pending, 4 leased, 3 done");
  expect(queueInWords(seen([agent("i1", 1), agent("i3", 1), agent("i4", 2)]), there)).toBe(
    "5 pending, 4 leased (3 by nodes that are gone), 3 done",
  );
  // One that names no instance is none that could be missing.
  expect(queueInWords(seen([agent(null, 1)]), there)).toBe("5 pending, 4 leased, 3 done");
});

test("an instance has its machine's speed and line, its job, and a deletion cost once it runs", () => {
  const instance = (id: string, announced: boolean) =>
    ({ id, machineId: `${id}-machine`, announced, deletionCost: 7 }) as Instance;
  const hardware = { speed: 0.9, line: medianLine };
  const rows = rowsOf(
    [
      { instance: instance("i1", true), state: "running", hardware },
      { instance: instance("i2", true), state: "running", hardware },
      { instance: instance("i3", false), state: "allocating", hardware },
    ],
    [],
    [{ id: "job-1", name: "sum-001", n: 12 }],
    new Map([["job-1", { machine: "i1-machine", fromStep: 0, step: 5, runs: 2, done: false }]]),
  );
  const node = { speed: "0.90", "kbit/s": "281↑659↓" };
  expect(rows).toEqual([
    {
      ...{ name: "i1-machi", status: "running", step: 5, n: 12, attempt: 2 },
      more: { job: "sum-001", cost: "7", ...node },
    },
    {
      ...{ name: "i2-machi", status: "idle", step: 0, n: 0, attempt: 0 },
      more: { job: "", cost: "7", ...node },
    },
    {
      ...{ name: "i3-machi", status: "allocating", step: 0, n: 0, attempt: 0 },
      more: { job: "", cost: "", ...node },
    },
  ]);
});

test("the summary tells what is asked for and what runs at this moment", () => {
  let nowMs = 1_000_000;
  const cloud = createCloud({ nowMs: () => nowMs, pace: { allocatingMs: 10 } });
  cloud.accounts.add({ name: "acme", replicasQuota: 5 }, nowMs);
  const container = { image: "example.com/image:1", resources: { cpu: 1, memory: 1024 } };
  const given = { name: "trainers", container, replicas: 2, autostart_policy: false };
  const group = cloud.groups.create("acme", "default", { ...given, restart_policy: "always" }, nowMs);
  const queue = "5 pending";
  expect(summaryOf(cloud, group, queue)).toBe("stopped, replicas 0, 0 running; jobs: 5 pending");
  startGroup(cloud, group);
  expect(summaryOf(cloud, group, queue)).toBe("deploying, replicas 2, 0 running; jobs: 5 pending");
  nowMs += 10;
  expect(summaryOf(cloud, group, queue)).toBe("running, replicas 2, 2 running; jobs: 5 pending");
});

test("replicas over time: nothing, a little, all; the newest where there is no room for all", () => {
  expect(sparkline([0, 1, 8], 8, 60)).toBe("·▁█");
  expect(sparkline([0, 1, 8], 8, 2)).toBe("▁█");
  expect(chartOf([0, 1, 8], 8)(11)).toBe("replicas ▁█");
  expect(chartOf([0, 1, 8], 8)(9)).toBe("replicas ");
});
