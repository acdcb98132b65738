/** The model of SaladCloud's instances, on a clock that moves when told: what lab, tests and the simulated day have in common. */
import { beforeEach, describe, expect, test } from "vitest";
import { type Cloud, createCloud } from "./cloud.ts";
import { countsOf, patchGroup, startGroup, statusOf, stopGroup } from "./group-calls.ts";
import type { Group } from "./groups.ts";
import type { Instance } from "./instances.ts";
import type { Pace } from "./pace.ts";
import { PerMinute } from "./per-minute.ts";

const organization = "acme";
let nowMs: number;
let cloud: Cloud;
let told: string[];
/** Drawn one after the other; the last one stays. */
let paces: Partial<Pace>[];

beforeEach(() => {
  nowMs = 1_000_000;
  told = [];
  paces = [{ allocatingMs: 10, downloadingMs: 20, creatingMs: 5, stoppingMs: 7 }];
  let serial = 0;
  cloud = createCloud({
    nowMs: () => nowMs,
    newId: () => `id-${++serial}`,
    pace: () => (paces.length > 1 ? paces.shift() : paces[0]) ?? {},
  });
  cloud.accounts.add({ name: organization, replicasQuota: 5 }, nowMs);
  const tell = (what: string) => (instance: Instance) => void told.push(`${what} ${instance.id}`);
  cloud.instances.watcher = {
    runs: tell("runs"),
    stops: tell("stops"),
    ended: (instance, how) => void told.push(`${how} ${instance.id}`),
  };
});

function newGroup(replicas: number): Group {
  const container = { image: "example.com/image:1", resources: { cpu: 1, memory: 1024 } };
  const given = { name: "fleet", container, replicas, autostart_policy: true };
  return cloud.groups.create(organization, "default", { ...given, restart_policy: "always" }, nowMs);
}

/** From one change to the next, as whoever drives it does. */
function pass(ms: number): void {
  const untilMs = nowMs + ms;
  cloud.instances.reconcile();
  for (;;) {
    const nextMs = cloud.instances.nextChangeMs();
    if (nextMs === null || nextMs > untilMs) break;
    nowMs = Math.max(nowMs, nextMs);
    cloud.instances.reconcile();
  }
  nowMs = untilMs;
}

const states = (group: Group) =>
  cloud.instances.of(group).map((instance) => cloud.instances.stateOf(instance));

test("states and counts on the way up, each instance at its own pace", () => {
  paces = [{ allocatingMs: 10 }, { allocatingMs: 10, downloadingMs: 20, creatingMs: 5 }];
  const group = newGroup(2);
  expect(states(group)).toEqual(["allocating", "allocating"]);
  expect(statusOf(cloud, group)).toBe("deploying");
  pass(10);
  expect(states(group)).toEqual(["running", "downloading"]);
  expect(countsOf(cloud, group)).toEqual({ allocating: 0, creating: 1, running: 1, stopping: 0 });
  expect(statusOf(cloud, group)).toBe("running");
  pass(20);
  expect(states(group)).toEqual(["running", "creating"]);
  pass(5);
  expect(states(group)).toEqual(["running", "running"]);
  expect(told).toEqual(["runs id-1", "runs id-3"]);
  expect(cloud.instances.nextChangeMs()).toBeNull();
});

test("scale-in takes the lowest deletion cost, tells so, and lets it run to its end; what does not run yet goes at once", () => {
  const group = newGroup(3);
  pass(35);
  const [first, second, third] = cloud.instances.of(group);
  if (!first || !second || !third) throw new Error("three instances");
  Object.assign(first, { deletionCost: 5 });
  Object.assign(third, { deletionCost: 9 });
  told = [];
  expect(patchGroup(cloud, group, { replicas: 2 })).toBeNull();
  cloud.instances.reconcile();
  expect(states(group)).toEqual(["running", "stopping", "running"]);
  expect(told).toEqual([`stops ${second.id}`]);
  // It is on its way out whatever is asked for now, and another one comes.
  patchGroup(cloud, group, { replicas: 3 });
  pass(7);
  expect(told).toEqual([`stops ${second.id}`, `taken ${second.id}`]);
  expect(states(group)).toEqual(["running", "running", "allocating"]);
  patchGroup(cloud, group, { replicas: 1 });
  cloud.instances.reconcile();
  // The one that has cost nothing so far and does not run; then the cheaper of the two that do.
  expect(told.slice(2)).toEqual([`taken id-7`, `stops ${first.id}`]);
  expect(cloud.instances.of(group).map(({ id }) => id)).toContain(third.id);
});

test("a stop takes all, and the group is stopped while they still run", () => {
  const group = newGroup(2);
  pass(35);
  expect(stopGroup(cloud, group)).toBeNull();
  cloud.instances.reconcile();
  expect([statusOf(cloud, group), ...states(group)]).toEqual(["stopped", "stopping", "stopping"]);
  pass(7);
  expect(states(group)).toEqual([]);
  expect(stopGroup(cloud, group)).toEqual({ refused: "the group is stopped" });
  expect(startGroup(cloud, group)).toBeNull();
  expect(startGroup(cloud, group)).toEqual({ refused: "the group is not stopped" });
});

test("a machine vanishes when its time is over, also in the middle of a stop, and another takes its place", () => {
  paces = [{ allocatingMs: 10, livesMs: 100, stoppingMs: 50 }, { allocatingMs: 10 }];
  const group = newGroup(1);
  pass(109);
  expect(told).toEqual(["runs id-1"]);
  pass(1);
  expect(told).toEqual(["runs id-1", "interrupted id-1"]);
  expect(states(group)).toEqual(["allocating"]);
  pass(10);
  expect(told).toEqual(["runs id-1", "interrupted id-1", "runs id-3"]);
  const [instance] = cloud.instances.of(group);
  expect(instance?.machineId).not.toBe("id-2");
});

test("reallocation takes another machine, recreation and restart keep it; each is another run", () => {
  const group = newGroup(1);
  pass(35);
  const [first] = cloud.instances.of(group);
  if (!first) throw new Error("an instance");
  cloud.instances.restart(first);
  const [second] = cloud.instances.of(group);
  if (!second) throw new Error("an instance");
  expect([second.machineId, second.id === first.id, cloud.instances.stateOf(second)]).toEqual([
    first.machineId,
    false,
    "running",
  ]);
  cloud.instances.recreate(second);
  const [third] = cloud.instances.of(group);
  if (!third) throw new Error("an instance");
  expect([third.machineId, cloud.instances.stateOf(third)]).toEqual([first.machineId, "creating"]);
  pass(5);
  cloud.instances.reallocate(third);
  const [fourth] = cloud.instances.of(group);
  expect(fourth?.machineId).not.toBe(first.machineId);
  expect(told).toEqual([
    ...[`runs ${first.id}`, `moved ${first.id}`, `runs ${second.id}`],
    ...[`moved ${second.id}`, `runs ${third.id}`, `moved ${third.id}`],
  ]);
});

describe("limits", () => {
  test("the quota counts replicas of all groups, those of stopped ones too", () => {
    const group = newGroup(3);
    stopGroup(cloud, group);
    expect(patchGroup(cloud, group, { replicas: 5 })).toBeNull();
    expect(patchGroup(cloud, group, { replicas: 6 })).toMatchObject({
      refused: expect.stringMatching(/quota/),
    });
    expect(group.replicas).toBe(5);
  });

  test("so many requests in any minute, and the refused are counted", () => {
    const requests = new PerMinute();
    const admitted = (count: number, atMs: number) =>
      Array.from({ length: count }, () => requests.admit("key", 240, atMs)).filter(Boolean).length;
    expect(admitted(250, 0)).toBe(240);
    expect(admitted(1, 59_999)).toBe(0);
    expect(admitted(250, 60_000)).toBe(240);
    expect(requests.refused).toBe(10 + 1 + 10);
    expect(requests.admit("another", 240, 60_000)).toBe(true);
  });
});
