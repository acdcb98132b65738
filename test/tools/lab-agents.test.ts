/** Whom the lab counts as taken by scale-in, on a clock that moves when told. Nobody is there for long enough to have a process. */
import { afterEach, beforeEach, expect, test } from "vitest";
import { Agents } from "../../tools/lab/agents.ts";
import { type Cloud, createCloud } from "../salad/cloud.ts";
import { stopGroup } from "../salad/group-calls.ts";
import type { Group } from "../salad/groups.ts";
import type { Pace } from "../salad/pace.ts";
import { Random } from "../simulation/world/random.ts";

const stoppingMs = 7;
let nowMs: number;
let cloud: Cloud;
let agents: Agents;
let told: string[];
beforeEach(() => {
  nowMs = 1_000_000;
  told = [];
  const paces: Partial<Pace>[] = [
    { allocatingMs: 10, stoppingMs },
    { allocatingMs: 10_000, stoppingMs },
  ];
  cloud = createCloud({ nowMs: () => nowMs, pace: () => paces.shift() ?? {} });
  cloud.accounts.add({ name: "acme", replicasQuota: 5 }, nowMs);
  agents = new Agents({
    ...{ cloud, random: new Random(1), directory: "never-made", logDirectory: "never-made" },
    api: () => ({ api: { port: 9, s3Endpoint: "http://127.0.0.1:9/s3" }, key: "key" }),
    imdsUrl: () => "http://127.0.0.1:9",
    ...{ zombieShare: 0, frozenMs: 0, zombieMs: 0 },
    tell: (text) => void told.push(text),
  });
  cloud.instances.watcher = agents;
});
afterEach(() => agents.close());

function newGroup(replicas: number): Group {
  const container = { image: "example.com/image:1", resources: { cpu: 1, memory: 1024 } };
  const given = { name: "trainers", container, replicas, autostart_policy: true };
  return cloud.groups.create("acme", "default", { ...given, restart_policy: "always" }, nowMs);
}

function pass(ms: number): void {
  nowMs += ms;
  cloud.instances.reconcile();
}

test("one that runs is taken, one still on its way is counted and told apart", () => {
  const group = newGroup(2);
  pass(0);
  const [first, second] = cloud.instances.of(group);
  pass(10);
  expect(told).toEqual([expect.stringMatching(/^\+ .* runs/)]);
  stopGroup(cloud, group);
  pass(0);
  pass(stoppingMs);
  expect(cloud.instances.of(group)).toEqual([]);
  const name = (machineId: string | undefined) => machineId?.slice(0, 8);
  expect(told.slice(1).toSorted()).toEqual(
    [
      `− ${name(first?.machineId)} is taken away`,
      `− ${name(second?.machineId)} is taken away before it runs`,
    ].toSorted(),
  );
  expect([...agents.taken.keys()]).toEqual([first?.id]);
  expect(agents.takenEarly).toBe(1);
});
