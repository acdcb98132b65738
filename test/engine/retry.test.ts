import { describe, expect, test } from "vitest";
import { type Held, key, must, World } from "./world.ts";

async function failOn(world: World, machineId: string): Promise<Held> {
  const held = must(await world.claim(machineId));
  await world.renew(held);
  await world.settle(held, "failed");
  return held;
}

describe("retry delay", () => {
  test("a failed job is at once available to others when it names no delay", async () => {
    const world = new World();
    world.addJob("a");
    await failOn(world, "m1");
    expect(await world.claim("m2")).toMatchObject({ jobId: "a", attempt: 2 });
  });

  test("pauses double with each failure, up to an hour", async () => {
    const world = new World();
    world.addJob("a", { retry_delay: 60, max_failures: 100 });
    for (const [i, pauseSeconds] of [60, 120, 240, 480, 960, 1920, 3600, 3600].entries()) {
      await failOn(world, `m${i}`);
      expect(world.job("a").available_at).toBe(world.nowMs + pauseSeconds * 1000);
      await world.advance(pauseSeconds * 1000 - 1);
      expect(await world.claim("other")).toBeNull();
      await world.advance(1);
    }
    expect(await world.claim("other")).toMatchObject({ jobId: "a" });
  });

  test("a delay longer than an hour stays what it is", async () => {
    const world = new World();
    world.addJob("a", { retry_delay: 10_000 });
    await failOn(world, "m1");
    await failOnceAvailable(world, 10_000);
    expect(world.job("a").available_at).toBe(world.nowMs + 10_000_000);
  });

  test("a job that pauses hides nothing behind it, not even from the page in memory", async () => {
    const world = new World();
    world.addJob("a", { retry_delay: 60 });
    world.addJob("b");
    await failOn(world, "m1");
    expect(await world.claim("m2")).toMatchObject({ jobId: "b" });
  });

  test("a crowd of jobs that pause does not stand in front of the queue", async () => {
    const world = new World();
    for (let i = 0; i < 200; i++)
      world.addJob(`paused-${i}`, { available_at: world.nowMs + 60_000, fresh: 0 });
    world.addJob("b");
    const before = world.statements;
    expect(await world.claim("m2")).toMatchObject({ jobId: "b" });
    expect(world.statements - before).toBe(3);
  });

  test("an agent that waits is woken when the pause is over", async () => {
    const world = new World();
    world.addJob("a", { retry_delay: 60 });
    await failOn(world, "m1");
    expect(world.woken).toEqual(0);
    await world.advance(60_000);
    expect(world.woken).toEqual(1);
    expect(await world.claim("m2")).toMatchObject({ jobId: "a" });
  });

  test("an interruption is no failure: no pause", async () => {
    const world = new World();
    world.addJob("a", { retry_delay: 3600 });
    await world.renew(must(await world.claim("m1")));
    await world.advance(61_000);
    expect(await world.claim("m2")).toMatchObject({ jobId: "a" });
  });
});

async function failOnceAvailable(world: World, delaySeconds: number): Promise<void> {
  await world.advance(delaySeconds * 1000);
  await failOn(world, "m2");
}

describe("bans", () => {
  /** Polls by these machines, every 10 s for so long; what they got. */
  async function poll(world: World, machines: string[], seconds: number): Promise<(string | undefined)[]> {
    const got: (string | undefined)[] = [];
    for (let at = 0; at < seconds; at += 10) {
      for (const machine of machines) got.push((await world.claim(machine))?.jobId);
      await world.advance(10_000);
    }
    return got.filter(Boolean);
  }

  test("every machine that polls is banned: the oldest ban is lifted, for one more try there", async () => {
    const world = new World();
    world.addJob("a", { max_failures: 10 });
    await failOn(world, "m1");
    await world.advance(1_000);
    await failOn(world, "m2");
    expect(await poll(world, ["m1", "m2"], 140)).toEqual([]);
    const got = await poll(world, ["m1", "m2"], 30);
    expect(got[0]).toEqual("a");
    expect(world.attempts("a")[2]).toMatchObject({ number: 3, machine_id: "m1" });
  });

  test("a machine that is not banned polls too: no ban is lifted, however long it is away running something", async () => {
    const world = new World();
    world.addJob("a", { max_failures: 10, priority: -1 });
    await failOn(world, "m1");
    // The free machine asks, but the job is paused for all: it may have it later.
    world.d1.exec("UPDATE jobs SET available_at = 9e15");
    expect(await poll(world, ["m1", "free"], 170)).toEqual([]);
    world.d1.exec("UPDATE jobs SET available_at = 0");
    expect(await world.claim("m1")).toBeNull();
    expect(await world.claim("free")).toMatchObject({ jobId: "a" });
  });

  test("asking again and again for a job that is closed to all writes once in half a minute", async () => {
    const world = new World();
    world.addJob("a", { max_failures: 10 });
    await failOn(world, "m1");
    await world.claim("m1");
    const before = world.objectWrites;
    const writes: number[] = [];
    for (let asked = 0; asked < 6; asked++) {
      await world.advance(10_000);
      await world.claim("m1");
      writes.push(world.objectWrites - before);
    }
    expect(writes).toEqual([0, 0, 1, 1, 1, 2]);
  });

  test("after a restart of the object nobody is taken for absent at once", async () => {
    const world = new World();
    world.addJob("a", { max_failures: 10 });
    await failOn(world, "m1");
    await poll(world, ["free"], 10);
    await world.advance(200_000);
    world.restart();
    expect(await world.claim("m1")).toBeNull();
  });
});

describe("quarantine", () => {
  /** Claims, renews as told, then falls silent until the lease has lapsed. */
  async function die(
    world: World,
    machineId: string,
    told: { commandStarted?: boolean; progress?: number },
    seconds = 30,
  ): Promise<void> {
    const held = must(await world.claim(machineId));
    const renew = () => world.engine.renew(key, machineId, [{ ...held, ...told }]);
    await renew();
    for (let at = 0; at < seconds; at += 15) {
      await world.advance(15_000);
      await renew();
    }
    await world.advance(61_000);
  }
  const started = { commandStarted: true, progress: 0 };

  test("a job that kills its container is offered five times, not for ever", async () => {
    const world = new World();
    world.addJob("a", { heartbeat_interval: 30 });
    for (const machine of ["m1", "m2", "m3", "m4"]) await die(world, machine, started);
    expect(world.job("a").status).toBe("pending");
    await die(world, "m5", started);
    expect(world.job("a")).toMatchObject({
      status: "failed",
      num_failures: 0,
      failed_reason:
        "quarantined: 5 attempts in a row, on 5 machines, died within 10 minutes of their start or stalled, without progress",
    });
    expect(world.job("a").failed).toBe(world.attempts("a").at(-1)?.ended);
    expect(await world.claim("m6")).toBeNull();
    expect(world.attempts("a").every((attempt) => attempt.died_early === 1)).toBe(true);
  });

  test.each<[string, { commandStarted?: boolean; progress?: number }, number?]>([
    ["plain interruptions before the command started", {}],
    ["attempts that got on", { commandStarted: true, progress: 1 }],
    ["attempts that lived", started, 660],
  ])("%s never count", async (_name, told, seconds) => {
    const world = new World();
    world.addJob("a", { heartbeat_interval: 30 });
    for (let i = 0; i < 8; i++) await die(world, `m${i}`, told, seconds);
    expect(world.job("a")).toMatchObject({ status: "pending", num_interruptions: 8 });
  });

  test("an attempt that got on clears what counted before", async () => {
    const world = new World();
    world.addJob("a", { heartbeat_interval: 30 });
    for (let i = 0; i < 4; i++) await die(world, `m${i}`, started);
    await die(world, "m4", { commandStarted: true, progress: 1 });
    for (let i = 5; i < 9; i++) await die(world, `m${i}`, started);
    expect(world.job("a").status).toBe("pending");
    await die(world, "m9", started);
    expect(world.job("a").status).toBe("failed");
  });

  test("deaths on one machine only are that machine's", async () => {
    const world = new World();
    world.addJob("a", { heartbeat_interval: 30 });
    for (let i = 0; i < 8; i++) await die(world, i % 2 ? "m1" : "m2", started);
    expect(world.job("a").status).toBe("pending");
  });
});
