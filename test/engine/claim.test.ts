import { describe, expect, test } from "vitest";
import { heldBy, key, must, World, writes } from "./world.ts";

const claimWrite = "SET status = 'running'";

describe("claim", () => {
  test("32 claimers at once, 1,000 jobs: 1,000 claims, no job twice", async () => {
    const world = new World();
    for (let i = 0; i < 1000; i++) world.addJob(`job-${i}`);
    const claimed: string[] = [];
    const drain = async (machineId: string) => {
      for (;;) {
        const held = await world.claim(machineId);
        if (!held) return;
        claimed.push(held.jobId);
      }
    };
    await Promise.all(Array.from({ length: 32 }, (_, i) => drain(`machine-${i}`)));
    expect(claimed).toHaveLength(1000);
    expect(new Set(claimed).size).toBe(1000);
    expect(world.attempts("job-0")).toHaveLength(1);
  });

  test("a claim whose answer was lost on the way to the agent is repeated and gets the same attempt", async () => {
    const world = new World();
    world.addJob("a");
    world.addJob("b");
    const first = must(await world.claim("m", "claim-x"));
    expect(await world.claim("m", "claim-x")).toEqual(first);
    expect(world.job("b").status).toBe("pending");
  });

  test("one claim id from two machines at the same moment: one of them gets the job", async () => {
    const world = new World();
    world.addJob("a");
    world.addJob("b");
    const both = await Promise.all([world.claim("m1", "claim-x"), world.claim("m2", "claim-x")]);
    expect(both.filter(Boolean)).toHaveLength(1);
    expect(world.leases()).toHaveLength(1);
    expect(world.events).toEqual([]);
  });

  test("two requests of one claim id at the same moment take one job", async () => {
    const world = new World();
    world.addJob("a");
    world.addJob("b");
    const [one, two] = await Promise.all([world.claim("m", "claim-x"), world.claim("m", "claim-x")]);
    expect(one).toEqual(two);
    expect(world.leases()).toHaveLength(1);
  });

  test("D1 applied the claim and its answer was lost: read back, granted", async () => {
    const world = new World();
    world.addJob("a");
    world.faultOf = (s) => (writes(s, claimWrite) ? "answer-lost" : undefined);
    const held = must(await world.claim("m"));
    expect(held.jobId).toBe("a");
    expect(world.job("a").attempt).toBe(1);
    expect(world.attempts("a")).toHaveLength(1);
  });

  test("D1 refused the claim: the agent is told to ask again, and the job is not lost", async () => {
    const world = new World();
    world.addJob("a");
    world.faultOf = (s) => (writes(s, claimWrite) ? "refused" : undefined);
    expect(await world.engine.claim(key, { machineId: "m", claimId: "x" })).toEqual({
      ok: false,
      reason: "unavailable",
    });
    world.faultOf = () => undefined;
    expect(must(await world.claim("m", "x")).jobId).toBe("a");
  });

  test("a claim write that lands late, after the next claim, changes nothing", async () => {
    const world = new World();
    world.addJob("a");
    world.faultOf = (s) => (writes(s, claimWrite) ? "late" : undefined);
    expect(await world.claim("m1")).toBeNull();
    world.faultOf = () => undefined;
    const held = must(await world.claim("m2"));
    world.applyLate();
    expect(world.job("a")).toMatchObject({ machine_id: "m2", attempt: held.attempt, status: "running" });
    expect(world.attempts("a").map((a) => a.machine_id)).toEqual(["m2"]);
    expect(await world.renew(held)).toMatchObject({ status: "running" });
  });

  test("a claim write that lands late, when the job waits again, does not take it", async () => {
    const world = new World();
    world.addJob("a");
    world.faultOf = (s) => (writes(s, claimWrite) ? "late" : undefined);
    expect(await world.claim("m1")).toBeNull();
    world.faultOf = () => undefined;
    const held = must(await world.claim("m2"));
    // The number of the claim whose fate is unknown is not given out again.
    expect(held.attempt).toBe(2);
    await world.settle(held, "released");
    world.applyLate();
    expect(world.job("a")).toMatchObject({ status: "pending", attempt: 2 });
    expect(world.attempts("a").map((a) => a.machine_id)).toEqual(["m2"]);
  });

  test("a job that ended while it stood on the page in memory is not handed out", async () => {
    const world = new World();
    for (const id of ["a", "b", "c"]) world.addJob(id);
    must(await world.claim("m"));
    world.d1.exec("UPDATE jobs SET status = 'canceled' WHERE id = 'b'");
    expect(must(await world.claim("m")).jobId).toBe("c");
    expect(world.job("b")).toMatchObject({ status: "canceled", attempt: 0 });
  });

  test("a claim write that lands late, with nobody holding the job, is swept up and handed out again", async () => {
    const world = new World();
    world.addJob("a");
    world.faultOf = (s) => (writes(s, claimWrite) ? "late" : undefined);
    expect(await world.claim("m1")).toBeNull();
    world.faultOf = () => undefined;
    world.applyLate();
    expect(world.job("a").status).toBe("running");
    expect(await world.claim("m2")).toBeNull();
    const running = [{ id: "a", attempt: 1, machineId: "m1", heartbeatIntervalSeconds: 30 }];
    expect(await world.engine.reconcile(key, running)).toEqual({ adopted: ["a"], dropped: [] });
    await world.advance(70_000);
    expect(must(await world.claim("m2")).attempt).toBe(2);
    // Nobody ever had that attempt: it is no interruption.
    expect(world.job("a").num_interruptions).toBe(0);
  });

  test("the object dies between its claim's intent and D1's answer: the attempt is found, and a repeat gets it", async () => {
    const world = new World();
    world.addJob("a");
    world.whileWaiting = (s) => (writes(s, claimWrite) ? new Promise(() => {}) : undefined);
    void world.claim("m", "x");
    await new Promise((resolve) => setImmediate(resolve));
    world.whileWaiting = () => {};
    world.restart();
    const held = must(await world.claim("m", "x"));
    expect(held).toMatchObject({ jobId: "a", attempt: 1 });
    expect(await world.renew(held)).toMatchObject({ status: "running" });
  });

  test("an agent that never confirms its claim loses it after 10 s, and it counts for nothing", async () => {
    const world = new World();
    world.addJob("a", { heartbeat_interval: 600 });
    must(await world.claim("m1"));
    await world.advance(9_000);
    expect(world.job("a").status).toBe("running");
    await world.advance(2_000);
    expect(world.job("a")).toMatchObject({ status: "pending", num_interruptions: 0, fresh: 1 });
    expect(must(await world.claim("m2")).attempt).toBe(2);
  });

  test("a machine that failed the first page of jobs is not starved of those behind it", async () => {
    const world = new World();
    for (let i = 0; i < 200; i++) {
      world.addJob(`job-${String(i).padStart(3, "0")}`);
      if (i < 150) {
        world.d1
          .prepare("INSERT INTO bans VALUES (?, 'm', ?)")
          .run(`job-${String(i).padStart(3, "0")}`, world.nowMs + 1e6);
      }
    }
    expect(must(await world.claim("m")).jobId).toBe("job-150");
    expect(must(await world.claim("other")).jobId).toBe("job-000");
  });

  test("an old worker gets no job with managed storage, and is not starved by a page of them", async () => {
    const world = new World();
    for (let i = 0; i < 128; i++) world.addJob(`managed-${i}`, { managed: 1 });
    world.addJob("plain");
    const old = { machineId: "old" };
    expect(await world.engine.claim(key, old)).toMatchObject({ job: { id: "plain" } });
    expect(await world.engine.claim(key, old)).toEqual({ ok: true, job: null });
    expect((await world.claim("new"))?.jobId).toBe("managed-0");
  });

  test("nor one that stands alone on its page", async () => {
    const world = new World();
    world.addJob("managed", { managed: 1 });
    expect(await world.engine.claim(key, { machineId: "old" })).toEqual({ ok: true, job: null });
    expect((await world.claim("new"))?.jobId).toBe("managed");
    expect(world.attempts("managed")).toMatchObject([{ unswept: 1 }]);
  });

  test("a ban that was written while the page was in memory still holds", async () => {
    const world = new World();
    world.addJob("a");
    world.addJob("b");
    world.addJob("c");
    must(await world.claim("other"));
    world.d1.prepare("INSERT INTO bans VALUES ('b', 'm', ?)").run(world.nowMs + 1e6);
    expect(must(await world.claim("m")).jobId).toBe("c");
  });

  test("order: priority, then jobs given back, then oldest", async () => {
    const world = new World();
    world.addJob("old");
    world.addJob("given-back", { fresh: 0, attempt: 1 });
    world.addJob("urgent", { priority: 5, created: world.nowMs + 1 });
    world.addJob("later", { priority: -1, created: world.nowMs - 1 });
    const order: string[] = [];
    for (let held = await world.claim("m"); held; held = await world.claim("m")) order.push(held.jobId);
    expect(order).toEqual(["urgent", "given-back", "old", "later"]);
  });

  test("an urgent job submitted after the page was read goes first once announced", async () => {
    const world = new World();
    for (const id of ["a", "b", "c"]) world.addJob(id);
    must(await world.claim("m"));
    world.addJob("urgent", { priority: 10 });
    await world.engine.jobsAdded(key, 10);
    expect(must(await world.claim("m")).jobId).toBe("urgent");
  });

  test("a job submitted while another claimer's read was under way is not overlooked", async () => {
    const world = new World();
    let submitted = false;
    world.whileWaiting = async (s) => {
      if (submitted || !writes(s, "json_group_array")) return;
      submitted = true;
      // The first claimer's snapshot is taken: it saw nothing. Now the job comes, and the second claimer after it.
      world.addJob("a");
      second = world.claim("m2");
      await Promise.resolve();
    };
    let second: ReturnType<World["claim"]> | undefined;
    const first = await world.claim("m1");
    const both = [first, await second];
    expect(both.filter(Boolean).map((held) => held?.jobId)).toEqual(["a"]);
  });

  test("a claim costs two D1 statements, and one more for each page of 128", async () => {
    const world = new World();
    for (let i = 0; i < 100; i++) world.addJob(`job-${i}`);
    must(await world.claim("m"));
    const before = world.statements;
    for (let i = 0; i < 10; i++) must(await world.claim("m"));
    expect(world.statements - before).toBe(20);
  });

  test("an old worker holds from the answer on, without a token", async () => {
    const world = new World();
    world.addJob("a", { heartbeat_interval: 10 });
    const answer = await world.engine.claim(key, { machineId: "old" });
    expect(heldBy("old", answer)?.leaseToken).toBe("");
    expect(answer).toMatchObject({ ok: true, lease: null });
    await world.advance(24_000);
    expect(world.job("a").status).toBe("running");
    await world.advance(2_000);
    expect(world.job("a")).toMatchObject({ status: "pending", num_interruptions: 1 });
  });
});
