/** Machines on which jobs fail that do better elsewhere: told to go, few at a time. */
import { describe, expect, test } from "vitest";
import { judgeMachine, type ReallocationVerdict, type Suspect } from "../../src/domain/reallocation.ts";
import type { SettleKind } from "../../src/group/protocol.ts";
import { type Held, key, must, World } from "./world.ts";

const minute = 60_000;
const hour = 60 * minute;
const reason = "2 jobs that failed on this machine in the last 24 hours did better on others";

describe("the verdict", () => {
  const nowMs = 1_000 * hour;
  const told = (machineId: string, agoMs: number) => ({ machineId, toldMs: nowMs - agoMs });
  const suspect: Suspect = {
    machineId: "m1",
    failedJobs: 2,
    betterElsewhere: 2,
    told: [],
    machinesSeen: 30,
  };

  test.each<[string, Partial<Suspect>, ReallocationVerdict]>([
    ["two failed jobs, both better elsewhere", {}, "reallocate"],
    ["one failed job", { failedJobs: 1, betterElsewhere: 1 }, "too_few_failures"],
    ["nobody has asked how the jobs went on", { betterElsewhere: null }, "ask"],
    ["nobody need ask about one job", { failedJobs: 1, betterElsewhere: null }, "too_few_failures"],
    ["of many failed jobs one did better elsewhere", { failedJobs: 9, betterElsewhere: 1 }, "jobs_to_blame"],
    ["another of the group 10 minutes ago", { told: [told("m2", 10 * minute)] }, "reallocate"],
    ["another of the group less than 10 minutes ago", { told: [told("m2", 10 * minute - 1)] }, "group_told"],
    [
      "a tenth of the machines within a day",
      { told: [1, 2, 3].map((n) => told(`x${n}`, n * hour)) },
      "share_told",
    ],
    ["one less", { told: [1, 2].map((n) => told(`x${n}`, n * hour)) }, "reallocate"],
    [
      "a tenth of the machines, one of them a day ago",
      { told: [1, 2, 24].map((n) => told(`x${n}`, n * hour)) },
      "reallocate",
    ],
    ["a small group: one a day", { machinesSeen: 2, told: [told("m2", 24 * hour - 1)] }, "share_told"],
    ["a small group: the first", { machinesSeen: 2 }, "reallocate"],
    ["itself, less than two days ago", { told: [told("m1", 48 * hour - 1)] }, "machine_told"],
    ["itself, two days ago", { told: [told("m1", 48 * hour)] }, "reallocate"],
    [
      "no read where a ration is used up",
      { betterElsewhere: null, told: [told("m2", minute)] },
      "group_told",
    ],
  ])("%s: %o → %s", (_name, differs, verdict) => {
    expect(judgeMachine({ ...suspect, ...differs }, nowMs)).toBe(verdict);
  });
});

/** Runs the queue's front on this machine for a while, then ends so; the report's answer. */
async function run(world: World, machineId: string, kind: SettleKind, seconds = 10) {
  const held = must(await world.claim(machineId));
  await running(world, held, seconds);
  return { held, answer: await world.settle(held, kind) };
}

async function running(world: World, held: Held, seconds: number): Promise<void> {
  await world.renew(held, { commandStarted: true });
  for (let at = 0; at < seconds; at += 10) {
    await world.advance(10_000);
    await world.renew(held, { commandStarted: true, progress: 1 });
  }
}

/** `bad` fails so many jobs, each of which `good` then completes. */
async function blamed(world: World, bad: string, jobs = 2, kind: SettleKind = "failed"): Promise<void> {
  for (let n = 0; n < jobs; n++) {
    world.addJob(`${bad}-${n}-${world.nowMs}`, { max_failures: 9, priority: 9 });
    await run(world, bad, kind);
    await run(world, "good", "completed");
  }
}

/** One more failure of this machine; the report's answer. */
async function failsAgain(world: World, machineId: string, kind: SettleKind = "failed") {
  const id = world.addJob(`${machineId}-again-${world.nowMs}`, { max_failures: 9, priority: 9 });
  const { answer } = await run(world, machineId, kind);
  // Out of the way.
  await world.engine.cancel(key, id);
  return answer;
}

describe("a machine", () => {
  test.each(["failed", "timed_out", "stalled"] as const)(
    "that %s two jobs which others completed is told to go with its next one, by the answer and by its socket",
    async (kind) => {
      const world = new World();
      await blamed(world, "m1", 2, kind);
      expect(world.told).toEqual([]);
      expect(await failsAgain(world, "m1", kind)).toEqual({ ok: true, repeat: false, reallocate: reason });
      expect(world.told[0]).toBe(`m1 reallocate: ${reason}`);
      expect(world.events.filter(({ event }) => event === "machine_told_to_go")).toHaveLength(1);
    },
  );

  test("whose jobs fail elsewhere too is not to blame", async () => {
    const world = new World();
    for (const id of ["a", "b"]) {
      world.addJob(id, { max_failures: 2 });
      await run(world, "m1", "failed");
      await run(world, "m2", "failed", 100);
    }
    expect(await failsAgain(world, "m1")).toEqual({ ok: true, repeat: false });
  });

  test("that failed one job twice has failed one job", async () => {
    const world = new World();
    await blamed(world, "m1", 1);
    world.addJob("a", { max_failures: 9 });
    await run(world, "m1", "failed");
    world.d1.exec("DELETE FROM bans");
    await world.advance(3_000);
    await run(world, "m1", "failed");
    expect(await failsAgain(world, "m1")).toEqual({ ok: true, repeat: false });
  });

  test.each([
    ["for longer than they did on the bad machine", 20, reason],
    ["for less long", 200, undefined],
  ])("whose jobs run on elsewhere %s", async (_name, seconds, reallocate) => {
    const world = new World();
    for (const id of ["a", "b"]) world.addJob(id, { max_failures: 9, heartbeat_interval: 150, priority: 9 });
    world.addJob("last", { heartbeat_interval: 150 });
    for (const _ of ["a", "b"]) await run(world, "m1", "failed", seconds);
    const held = [must(await world.claim("m2")), must(await world.claim("m3"))];
    for (let at = 0; at < 120; at += 10) {
      for (const one of held) await world.renew(one, { commandStarted: true });
      await world.advance(10_000);
    }
    expect(world.attempts("a")[1]).toMatchObject({ end: null, command_started: expect.any(Number) });
    const { answer } = await run(world, "m1", "failed");
    expect(answer).toEqual({ ok: true, repeat: false, ...(reallocate && { reallocate }) });
  });

  test("that is silent after it was told hears it again, for ten minutes; then not for two days", async () => {
    const world = new World();
    await blamed(world, "m1");
    world.addJob("last", { max_failures: 9 });
    const { held } = await run(world, "m1", "failed");
    expect(await world.settle(held, "failed")).toEqual({ ok: true, repeat: true, reallocate: reason });
    expect(await failsAgain(world, "m1")).toMatchObject({ reallocate: reason });
    expect(world.told).toHaveLength(1);
    await world.advance(10 * minute);
    expect(await failsAgain(world, "m1")).toEqual({ ok: true, repeat: false });
  });

  test("its failures of yesterday are forgotten", async () => {
    const world = new World();
    await blamed(world, "m1");
    await world.advance(24 * hour);
    expect(await failsAgain(world, "m1")).toEqual({ ok: true, repeat: false });
  });
});

describe("rations", () => {
  test("one in ten minutes, whoever it is", async () => {
    const world = new World();
    for (let n = 0; n < 30; n++) await world.claim(`idle-${n}`);
    await blamed(world, "m1");
    await blamed(world, "m2");
    expect(await failsAgain(world, "m1")).toMatchObject({ reallocate: reason });
    expect(await failsAgain(world, "m2")).toEqual({ ok: true, repeat: false });
    await world.advance(10 * minute);
    expect(await failsAgain(world, "m2")).toMatchObject({ reallocate: expect.any(String) });
  });

  test("hold although two reports come at once", async () => {
    const world = new World();
    for (let n = 0; n < 30; n++) await world.claim(`idle-${n}`);
    await blamed(world, "m1");
    await blamed(world, "m2");
    for (const id of ["a", "b"]) world.addJob(id, { max_failures: 9 });
    const held = [must(await world.claim("m1")), must(await world.claim("m2"))];
    const answers = await Promise.all(held.map((one) => world.settle(one, "failed")));
    expect(answers.filter((answer) => answer.ok && answer.reallocate)).toHaveLength(1);
  });

  test("a tenth of the machines seen in a day, here one, also by the object's next life", async () => {
    const world = new World();
    for (const bad of ["m1", "m2"]) await blamed(world, bad);
    expect(await failsAgain(world, "m1")).toMatchObject({ reallocate: reason });
    await world.advance(hour);
    world.restart();
    expect(await failsAgain(world, "m2")).toEqual({ ok: true, repeat: false });
    await world.advance(22 * hour);
    await blamed(world, "m2");
    await world.advance(hour);
    expect(await failsAgain(world, "m2")).toMatchObject({ reallocate: expect.any(String) });
  });
});

describe("what it costs", () => {
  test("ordinary failures cost no statement more; a suspect's one read", async () => {
    const world = new World();
    const cost = async () => {
      world.addJob(`c-${world.nowMs}`, { max_failures: 1, priority: 50 });
      const held = must(await world.claim("m1"));
      await world.renew(held);
      const before = world.statements;
      await world.settle(held, "failed");
      await world.advance(1_000);
      return world.statements - before;
    };
    expect([await cost(), await cost(), await cost(), await cost()]).toEqual([3, 3, 4, 4]);
  });

  test("a read that fails changes nothing about the report, and is told", async () => {
    const world = new World();
    await blamed(world, "m1");
    world.addJob("last", { max_failures: 9 });
    const held = must(await world.claim("m1"));
    world.faultOf = ([first]) => (first?.sql.startsWith("SELECT f.job_id") ? "refused" : undefined);
    expect(await world.settle(held, "failed")).toEqual({ ok: true, repeat: false });
    expect(world.job("last").num_failures).toBe(1);
    expect(world.events.map(({ event }) => event)).toContain("machine_unjudged");
    world.faultOf = () => undefined;
    expect(await world.settle(held, "failed")).toEqual({ ok: true, repeat: true, reallocate: reason });
  });

  test("machines that ask under ever new names fill no storage", async () => {
    const world = new World();
    for (let n = 0; n < 2_100; n++) await world.claim(`idle-${n}`);
    const [row] = world.storage.prepare("SELECT COUNT(*) AS n FROM machines_seen").all();
    expect(row?.n).toBe(2_000);
  });
});

describe("a machine that was told and is still here", () => {
  async function told(): Promise<World> {
    const world = new World();
    await blamed(world, "m1");
    await failsAgain(world, "m1");
    return world;
  }
  const ask = (world: World) =>
    world.engine.claim(key, { machineId: "m1", instanceId: "i1", claimId: `c-${world.nowMs}` });

  test("is named after five minutes, until it is gone or was reallocated", async () => {
    const world = await told();
    await world.advance(4 * minute);
    await ask(world);
    await world.advance(70_000);
    expect(await world.engine.badMachines(key)).toEqual([]);
    await ask(world);
    const bad = [{ machineId: "m1", reason }];
    expect(await world.engine.badMachines(key)).toEqual(bad);
    await world.advance(151_000);
    expect(await world.engine.badMachines(key)).toEqual([]);
    await ask(world);
    expect(await world.engine.badMachines(key)).toEqual(bad);
    await world.engine.reallocated(key, "m1");
    await ask(world);
    expect(await world.engine.badMachines(key)).toEqual([]);
  });

  test("is named also while it runs a job, which an exchange would interrupt", async () => {
    const world = await told();
    world.addJob("a", { heartbeat_interval: 150 });
    const held = must(await world.claim("m1"));
    await running(world, held, 310);
    expect(await world.engine.badMachines(key)).toEqual([{ machineId: "m1", reason }]);
  });

  test("is not named while final uploads of its go on", async () => {
    const world = await told();
    world.addJob("a", { heartbeat_interval: 150 });
    const held = must(await world.claim("m1"));
    await running(world, held, 310);
    expect(await world.engine.badMachines(key)).toHaveLength(1);
    await world.renew(held, { uploading: true });
    expect(await world.engine.badMachines(key)).toEqual([]);
    await world.renew(held, { uploading: false });
    expect(await world.engine.badMachines(key)).toHaveLength(1);
  });
});
