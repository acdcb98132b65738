import { describe, expect, test } from "vitest";
import { type Held, key, must, World, worldWithHolder, writes } from "./world.ts";

const endWrite = "SET ended";

describe("renewal and expiry", () => {
  test("a renewal costs no D1 statement", async () => {
    const { world, held } = await worldWithHolder();
    const before = world.statements;
    for (let i = 0; i < 100; i++) await world.renew(held);
    expect(world.statements).toBe(before);
  });

  test("renewals that promise no more than what is stored are not written; the promise is kept to the second", async () => {
    const { world, held } = await worldWithHolder({ heartbeat_interval: 30 });
    const stored = () => world.leases()[0]?.expires_ms;
    await world.advance(10_000);
    await world.renew(held); // the second one of this life: stored a quarter of the term ahead
    expect(stored()).toBe(world.nowMs + 75_000);
    await world.advance(14_000);
    await world.renew(held);
    expect(stored()).toBe(world.nowMs + 61_000);
    await world.advance(2_000);
    await world.renew(held);
    expect(stored()).toBe(world.nowMs + 75_000);
    await world.advance(59_000);
    expect(world.job("a").status).toBe("running");
    await world.advance(2_000);
    expect(world.job("a")).toMatchObject({ status: "pending", num_interruptions: 1 });
  });

  test("a renewal that was not written is kept by an object that comes back", async () => {
    const { world, held } = await worldWithHolder({ heartbeat_interval: 30 });
    await world.advance(1_000);
    await world.renew(held);
    await world.advance(13_000);
    await world.renew(held);
    world.restart();
    await world.advance(60_000);
    expect(world.job("a").status).toBe("running");
    expect(await world.renew(held)).toMatchObject({ status: "running" });
    // Nobody renews: it lapses, late, and after one doubt at most.
    await world.advance(61_000);
    expect(world.job("a").status).toBe("pending");
  });

  test("what GET has told of a lease does not go back when the object is evicted", async () => {
    const { world, held } = await worldWithHolder({ heartbeat_interval: 30 });
    const live = () => world.engine.live(key, "a");
    for (let second = 0; second < 65; second += 5) {
      await world.advance(5_000);
      await world.renew(held);
    }
    const flushed = world.job("a");
    world.restart();
    const told = must(await live());
    expect(told.heartbeat).toBeGreaterThanOrEqual(Number(flushed.heartbeat));
    expect(told.numHeartbeats).toBeGreaterThanOrEqual(Number(flushed.num_heartbeats));
  });

  test("a silent node's job is pending again after one term, and the zombie is refused", async () => {
    const { world, held } = await worldWithHolder({ heartbeat_interval: 30 });
    await world.advance(59_000);
    expect(world.job("a").status).toBe("running");
    await world.advance(2_000);
    expect(world.job("a")).toMatchObject({ status: "pending", num_interruptions: 1, fresh: 0 });
    const next = must(await world.claim("m2"));
    expect(next.attempt).toBe(2);
    expect(await world.renew(held)).toEqual({ status: "canceled", reason: "superseded" });
    expect(await world.settle(held, "completed")).toEqual({ ok: false, reason: "superseded" });
    expect(await world.settle(held, "failed")).toEqual({ ok: false, reason: "superseded" });
    expect(world.job("a")).toMatchObject({ status: "running", machine_id: "m2", num_failures: 0 });
    expect(world.attempts("a").map((a) => a.end)).toEqual(["interrupted", null]);
  });

  test("a late renewal is accepted as long as nobody has begun to end the lease", async () => {
    const { world, held } = await worldWithHolder({ heartbeat_interval: 30 });
    world.nowMs += 100_000; // the alarm has not rung
    expect(await world.renew(held)).toMatchObject({ status: "running" });
  });

  test("a renewal that meets an expiry under way is refused, whatever D1 answers first", async () => {
    const { world, held } = await worldWithHolder({ heartbeat_interval: 30 });
    let answer: unknown;
    world.whileWaiting = (s) => {
      if (writes(s, endWrite)) void world.renew(held).then((a) => (answer = a));
    };
    await world.advance(61_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect(answer).toEqual({ status: "canceled", reason: "superseded" });
  });

  test("many leases lapsing at once are extended once, then expired", async () => {
    const world = new World();
    for (let i = 0; i < 10; i++) world.addJob(`job-${i}`, { heartbeat_interval: 30 });
    const holders: Held[] = [];
    for (let i = 0; i < 10; i++) holders.push(must(await world.claim(`m${i}`)));
    for (const held of holders) await world.renew(held);
    await world.advance(65_000);
    expect(world.job("job-0").status).toBe("running");
    expect(await world.renew(must(holders[0]))).toMatchObject({ status: "running" });
    await world.advance(58_000);
    expect(world.job("job-0").status).toBe("running");
    expect(world.job("job-1").status).toBe("pending");
  });

  test("an alarm that comes late expires nobody at once", async () => {
    const { world, held } = await worldWithHolder({ heartbeat_interval: 30 });
    await world.advance(70_000, 8_000);
    expect(world.job("a").status).toBe("running");
    expect(await world.renew(held)).toMatchObject({ status: "running" });
  });

  test("the object comes back after an outage with operations left open: who could not renew is not expired at once", async () => {
    const world = new World();
    world.addJob("a", { heartbeat_interval: 10 });
    world.addJob("b");
    const held = must(await world.claim("m1"));
    await world.renew(held);
    const other = must(await world.claim("m2"));
    world.faultOf = () => "refused";
    await world.settle(other, "completed");
    world.nowMs += 28_000;
    world.faultOf = () => undefined;
    world.restart();
    await world.advance(1_500);
    expect(world.job("b").status).toBe("completed");
    expect(await world.renew(held)).toMatchObject({ status: "running" });
  });

  test("an old worker's lease is not taken over by a heartbeat that brings a token", async () => {
    const world = new World();
    world.addJob("a");
    await world.engine.claim(key, { machineId: "old" });
    await world.engine.renew(key, "old", [{ jobId: "a", leaseToken: "mine-now" }]);
    expect(await world.engine.renew(key, "old", [{ jobId: "a" }])).toMatchObject([{ status: "running" }]);
  });

  test("a lost row is adopted when its holder renews", async () => {
    const { world, held } = await worldWithHolder();
    world.loseObject();
    expect(await world.renew(held)).toMatchObject({ status: "running" });
    expect(world.leases()).toHaveLength(1);
    expect(await world.settle(held, "completed")).toEqual({ ok: true, repeat: false });
  });

  test("a lost row is no reason to refuse the holder's report", async () => {
    const { world, held } = await worldWithHolder();
    world.loseObject();
    expect(await world.settle(held, "completed")).toEqual({ ok: true, repeat: false });
    expect(world.job("a").status).toBe("completed");
  });

  test("another process of the same machine without the token renews nothing", async () => {
    const { world, held } = await worldWithHolder();
    const [answer] = await world.engine.renew(key, "m1", [{ jobId: "a" }]);
    expect(answer).toEqual({ status: "canceled", reason: "not_holder" });
    expect(await world.settle({ ...held, leaseToken: "guess" }, "completed")).toMatchObject({ ok: false });
    expect(world.job("a").status).toBe("running");
  });

  test("D1 learns heartbeats once a minute, and the job's heartbeats are lease time in intervals", async () => {
    const { world, held } = await worldWithHolder({ heartbeat_interval: 30 });
    const before = world.statements;
    for (let i = 0; i < 20; i++) {
      await world.advance(15_000);
      await world.renew(held);
    }
    expect(world.statements - before).toBeLessThanOrEqual(10);
    expect(await world.settle(held, "completed")).toMatchObject({ ok: true });
    expect(world.job("a").num_heartbeats).toBe(10);
  });

  test("a hundred leases that began at a hundred times cost two statements a minute, not two hundred", async () => {
    const world = new World();
    const holders: Held[] = [];
    for (let i = 0; i < 100; i++) {
      world.addJob(`job-${i}`);
      holders.push(must(await world.claim(`m${i}`)));
      await world.renew(must(holders.at(-1)));
      await world.advance(500);
    }
    const minutes = async (count: number) => {
      for (let at = 0; at < 6 * count; at++) {
        for (const held of holders) await world.renew(held);
        await world.advance(10_000);
      }
    };
    await minutes(2);
    const before = world.statements;
    await minutes(10);
    expect(world.statements - before).toBeLessThanOrEqual(22);
  });

  test("a job cleared behind the object's back: its holder hears of it within the flush", async () => {
    const { world, held } = await worldWithHolder();
    world.d1.exec("DELETE FROM jobs");
    for (let i = 0; i < 6; i++) {
      await world.advance(15_000);
      await world.renew(held);
    }
    expect(await world.renew(held)).toEqual({ status: "unknown" });
  });

  test("D1 away for a while: leases go on, nothing is told to stop, no alarm spins", async () => {
    const { world, held } = await worldWithHolder({ heartbeat_interval: 30 });
    let calls = 0;
    world.faultOf = () => {
      calls++;
      return "refused";
    };
    for (let i = 0; i < 20; i++) {
      await world.advance(15_000);
      expect(await world.renew(held)).toMatchObject({ status: "running" });
    }
    expect(calls).toBeLessThan(200);
    world.faultOf = () => undefined;
    await world.advance(15_000);
    expect(await world.settle(held, "completed")).toEqual({ ok: true, repeat: false });
  });

  test("the machine of an old worker does not get its lost job back at once", async () => {
    const world = new World();
    world.addJob("a", { heartbeat_interval: 10 });
    must(await world.engine.claim(key, { machineId: "old" }));
    await world.advance(26_000);
    expect(await world.engine.renew(key, "old", [{ jobId: "a" }])).toEqual([
      { status: "canceled", reason: "superseded" },
    ]);
    expect(await world.engine.claim(key, { machineId: "old" })).toEqual({ ok: true, job: null });
    expect(await world.claim("new")).toMatchObject({ jobId: "a" });
  });
});
