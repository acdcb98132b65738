/** Attempts that were stopped on the node: the command ran for too long, or got nowhere for too long. */
import { describe, expect, test } from "vitest";
import type { Renewal } from "../../src/group/protocol.ts";
import { must, World, worldWithHolder } from "./world.ts";

const day = 24 * 3_600_000;

/** Claims on this machine, renews once, reports a stall; the report's answer. */
async function stall(world: World, machineId: string, told: Partial<Renewal> = {}) {
  const held = must(await world.claim(machineId));
  await world.renew(held, { commandStarted: true, ...told });
  return world.settle(held, "stalled", { reason: "nothing new for 60 s" });
}

describe("timed out", () => {
  test("counts as a failure, bans its machine for a day, and waits the retry delay", async () => {
    const { world, held } = await worldWithHolder({ retry_delay: 60 });
    expect(await world.settle(held, "timed_out")).toEqual({ ok: true, repeat: false });
    expect(world.job("a")).toMatchObject({
      status: "pending",
      num_failures: 1,
      num_interruptions: 0,
      available_at: world.nowMs + 60_000,
    });
    expect(world.attempts("a")).toMatchObject([{ end: "timed_out", died_early: 0 }]);
    await world.advance(60_000);
    expect(await world.claim("m1")).toBeNull();
    await world.advance(day);
    expect(await world.claim("m1")).toMatchObject({ jobId: "a", attempt: 2 });
  });

  test.each([
    ["as the node said", "ran for longer than 7 s", "ran for longer than 7 s"],
    ["in words of our own", null, "the command ran for longer than timeout_seconds"],
  ])("at max_failures the job has failed, with the reason %s", async (_name, reason, told) => {
    const { world, held } = await worldWithHolder({ max_failures: 1 });
    await world.settle(held, "timed_out", { reason });
    expect(world.job("a")).toMatchObject({ status: "failed", failed: world.nowMs, failed_reason: told });
  });

  test("clears a streak of early deaths: the command did run", async () => {
    const world = new World();
    world.addJob("a", { max_failures: 10 });
    for (const machine of ["m1", "m2", "m3", "m4"]) await stall(world, machine);
    const held = must(await world.claim("m5"));
    await world.renew(held);
    await world.settle(held, "timed_out");
    expect(world.job("a")).toMatchObject({ status: "pending", early_deaths: "[]" });
  });

  test("a repeat is a success without effects; another end is refused", async () => {
    const { world, held } = await worldWithHolder();
    await world.settle(held, "timed_out");
    expect(await world.settle(held, "timed_out")).toEqual({ ok: true, repeat: true });
    expect(world.job("a").num_failures).toBe(1);
    expect(await world.settle(held, "stalled")).toEqual({ ok: false, reason: "superseded" });
  });
});

describe("stalled", () => {
  test("never counts as a failure; goes on at once elsewhere, before fresh jobs, and not here for a day", async () => {
    const { world, held } = await worldWithHolder({ retry_delay: 60, max_failures: 1 });
    world.addJob("older", { created: world.nowMs - 1e6 });
    expect(await world.settle(held, "stalled")).toEqual({ ok: true, repeat: false });
    expect(world.job("a")).toMatchObject({
      status: "pending",
      num_failures: 0,
      num_interruptions: 0,
      available_at: 0,
      fresh: 0,
    });
    expect(await world.claim("m1")).toMatchObject({ jobId: "older" });
    expect(await world.claim("m2")).toMatchObject({ jobId: "a", attempt: 2 });
    await world.settle({ ...held, machineId: "m2", attempt: 2 }, "released");
    expect(await world.claim("m1")).toBeNull();
  });

  test("a job that hangs everywhere ends: quarantined after five in a row, however long each of them took", async () => {
    const world = new World();
    world.addJob("a");
    for (const machine of ["m1", "m2", "m3", "m4", "m5"]) {
      expect(world.job("a").status).toBe("pending");
      const held = must(await world.claim(machine));
      for (let minute = 0; minute < 60; minute++) {
        await world.renew(held, { commandStarted: true, progress: 0 });
        await world.advance(10_000);
      }
      await world.settle(held, "stalled");
    }
    expect(world.job("a")).toMatchObject({
      status: "failed",
      failed: world.nowMs,
      num_failures: 0,
      failed_reason:
        "quarantined: 5 attempts in a row, on 5 machines, died within 10 minutes of their start or stalled, without progress",
    });
    expect(world.attempts("a").map((attempt) => attempt.died_early)).toEqual([1, 1, 1, 1, 1]);
    expect(world.events.map(({ event }) => event)).toContain("job_quarantined");
  });

  test("one that had got on clears what counted before", async () => {
    const world = new World();
    world.addJob("a");
    for (const machine of ["m1", "m2", "m3", "m4"]) await stall(world, machine);
    await stall(world, "m5", { progress: 1 });
    expect(world.job("a")).toMatchObject({ status: "pending", early_deaths: "[]" });
    expect(world.attempts("a")[4]).toMatchObject({ end: "stalled", died_early: 0 });
  });

  test("stalls and early deaths count together", async () => {
    const world = new World();
    world.addJob("a");
    for (const machine of ["m1", "m2", "m3"]) await stall(world, machine);
    for (const machine of ["m4", "m5"]) {
      expect(world.job("a").status).toBe("pending");
      await world.renew(must(await world.claim(machine)), { commandStarted: true });
      await world.advance(61_000);
    }
    expect(world.job("a").status).toBe("failed");
  });

  test("whose row was lost neither counts nor clears", async () => {
    const world = new World();
    world.addJob("a");
    for (const machine of ["m1", "m2", "m3", "m4"]) await stall(world, machine);
    const held = must(await world.claim("m5"));
    await world.renew(held, { commandStarted: true, progress: 3 });
    world.loseObject();
    expect(await world.settle(held, "stalled")).toEqual({ ok: true, repeat: false });
    expect(world.job("a").status).toBe("pending");
    expect(JSON.parse(String(world.job("a").early_deaths))).toHaveLength(4);
    expect(await world.claim("m5")).toBeNull();
  });

  test("the only machine there is does not starve: its ban is lifted after a while", async () => {
    const world = new World();
    world.addJob("a");
    await stall(world, "m1");
    let got = await world.claim("m1");
    for (let asked = 0; got === null && asked < 20; asked++) {
      await world.advance(10_000);
      got = await world.claim("m1");
    }
    expect(got).toMatchObject({ jobId: "a", attempt: 2 });
  });

  test("nor does it where the object leaves memory between any two of its polls; but not before others could have asked", async () => {
    const world = new World();
    world.addJob("a");
    await stall(world, "m1");
    const got: boolean[] = [];
    for (let asked = 0; asked < 4; asked++) {
      world.restart();
      got.push((await world.claim("m1")) !== null);
      await world.advance(60_000);
    }
    expect(got).toEqual([false, false, false, true]);
    // The next attempt's ban is as young as its end.
    await world.advance(60_000);
    world.restart();
    expect(await world.claim("m2")).toMatchObject({ jobId: "a" });
    world.restart();
    await world.advance(10 * 60_000);
    await stall(world, "m1");
    world.restart();
    expect(await world.claim("m1")).toBeNull();
  });

  test("is news for a webhook as an interruption is, and as a failure once it is a quarantine; a timeout only at its last", async () => {
    const world = new World();
    const webhook = {
      webhook: "https://receiver.test/",
      webhook_events: '["running","failed","interrupted"]',
    };
    world.addJob("a", webhook);
    for (const machine of ["m1", "m2", "m3", "m4", "m5"]) await stall(world, machine);
    expect(world.outbox("a").slice(0, 4)).toEqual([
      "running/1",
      "interrupted/1",
      "running/2",
      "interrupted/2",
    ]);
    expect(world.outbox("a").at(-1)).toBe("failed/5");
    world.addJob("b", { ...webhook, max_failures: 2 });
    for (const machine of ["m1", "m2"]) {
      const held = must(await world.claim(machine));
      await world.renew(held);
      await world.settle(held, "timed_out");
    }
    expect(world.outbox("b")).toEqual(["running/1", "running/2", "failed/2"]);
  });
});

test.each(["stalled", "timed_out"] as const)(
  "%s of a job that nobody has claimed is refused: no client of Kelpie says so",
  async (kind) => {
    const world = new World();
    world.addJob("a");
    const stranger = { machineId: "m1" };
    const answer = await world.engine.settle(
      { userId: "user-1", containerGroupId: "group-1" },
      "a",
      kind,
      stranger,
      {},
    );
    expect(answer).toEqual({ ok: false, reason: "not_holder" });
    expect(world.job("a")).toMatchObject({ status: "pending", num_failures: 0 });
  },
);

test("what ended the command is kept on the attempt", async () => {
  const { world, held } = await worldWithHolder();
  await world.settle(held, "failed", { exitCode: 137, signal: "SIGKILL", cause: "out_of_memory" });
  expect(world.attempts("a")).toMatchObject([{ exit_code: 137, signal: "SIGKILL", cause: "out_of_memory" }]);
});

test("an end that a version before this one left open is still written", async () => {
  const { world, held } = await worldWithHolder();
  world.faultOf = () => "refused";
  await world.settle(held, "failed");
  const row = world.storage.prepare("SELECT ending FROM leases").get() as { ending: string };
  const { cause, progress, ...before } = JSON.parse(row.ending);
  expect([cause, progress]).toEqual([null, null]);
  world.storage.prepare("UPDATE leases SET ending = ?").run(JSON.stringify(before));
  world.faultOf = () => undefined;
  world.restart();
  await world.advance(100);
  expect(world.attempts("a")).toMatchObject([{ end: "failed", cause: null }]);
});
