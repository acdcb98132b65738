import { describe, expect, test } from "vitest";
import { key, must, World, worldWithHolder, writes } from "./world.ts";

const endWrite = "SET ended";

describe("reports", () => {
  test("a completion whose answer D1 lost is recorded once, and its repeat is no second end", async () => {
    const { world, held } = await worldWithHolder();
    world.faultOf = (s) => (writes(s, endWrite) ? "answer-lost" : undefined);
    expect(await world.settle(held, "completed")).toEqual({ ok: true, repeat: false });
    world.faultOf = () => undefined;
    const completed = world.job("a").completed;
    await world.advance(5_000);
    expect(await world.settle(held, "completed")).toEqual({ ok: true, repeat: true });
    expect(world.job("a").completed).toBe(completed);
  });

  test("D1 away during a completion: told to repeat, and the alarm finishes it even if nobody does", async () => {
    const { world, held } = await worldWithHolder();
    await world.advance(30_000);
    world.faultOf = () => "refused";
    expect(await world.settle(held, "completed")).toEqual({ ok: false, reason: "unavailable" });
    // From the intent on, no expiry and no other claim may touch it.
    expect(await world.claim("m2")).toBeNull();
    world.faultOf = () => undefined;
    await world.advance(3_000);
    expect(world.job("a").status).toBe("completed");
    expect(await world.settle(held, "completed")).toEqual({ ok: true, repeat: true });
    expect(world.leases()).toEqual([]);
  });

  test("the object dies between the completion's intent and D1: the next life completes it", async () => {
    const { world, held } = await worldWithHolder();
    world.faultOf = () => "refused";
    await world.settle(held, "completed");
    world.faultOf = () => undefined;
    world.restart();
    await world.advance(100);
    expect(world.job("a").status).toBe("completed");
  });

  test("a failure whose write lands late counts once", async () => {
    const { world, held } = await worldWithHolder();
    let once = true;
    world.faultOf = (s) => {
      if (!once || !writes(s, endWrite)) return undefined;
      once = false;
      return "late";
    };
    expect(await world.settle(held, "failed")).toEqual({ ok: true, repeat: false });
    world.applyLate();
    expect(world.job("a")).toMatchObject({ status: "pending", num_failures: 1 });
    expect(await world.settle(held, "failed")).toEqual({ ok: true, repeat: true });
    expect(world.job("a").num_failures).toBe(1);
  });

  test("ended is ended: each other end gets a refusal with the reason", async () => {
    const { world, held } = await worldWithHolder();
    await world.settle(held, "completed");
    expect(await world.settle(held, "failed")).toEqual({ ok: false, reason: "completed" });
    expect(await world.settle(held, "released")).toEqual({ ok: false, reason: "completed" });
    expect(await world.engine.cancel(key, "a")).toEqual({ ok: false, reason: "completed" });
    expect(world.job("a")).toMatchObject({ status: "completed", canceled: null, num_failures: 0 });
  });

  test("completed and failed at the same moment: one of them stands", async () => {
    const { world, held } = await worldWithHolder();
    const [completed, failed] = await Promise.all([
      world.settle(held, "completed"),
      world.settle(held, "failed"),
    ]);
    expect(completed).toEqual({ ok: true, repeat: false });
    expect(failed).toEqual({ ok: false, reason: "completed" });
    expect(world.attempts("a").map((a) => a.end)).toEqual(["completed"]);
    expect(world.d1.prepare("SELECT * FROM bans").all()).toEqual([]);
  });

  test("a failure bans this machine from this job, and only so; at max_failures the job has failed", async () => {
    const { world, held } = await worldWithHolder({ max_failures: 2 });
    world.addJob("b");
    await world.settle(held, "failed");
    expect(must(await world.claim("m1")).jobId).toBe("b");
    const second = must(await world.claim("m2"));
    expect(second).toMatchObject({ jobId: "a", attempt: 2 });
    await world.renew(second);
    await world.settle(second, "failed");
    expect(world.job("a")).toMatchObject({ status: "failed", num_failures: 2, failed: world.nowMs });
  });

  test("a refused failure leaves no ban and no mark on the attempt", async () => {
    const { world, held } = await worldWithHolder();
    world.d1.exec("UPDATE jobs SET status = 'canceled' WHERE id = 'a'");
    expect(await world.settle(held, "failed")).toEqual({ ok: false, reason: "canceled" });
    expect(world.d1.prepare("SELECT * FROM bans").all()).toEqual([]);
    expect(world.attempts("a")).toMatchObject([{ end: null, ended: null }]);
    expect(world.leases()).toEqual([]);
  });

  test("a ban expires after 24 hours", async () => {
    const { world, held } = await worldWithHolder();
    await world.settle(held, "failed");
    expect(await world.claim("m1")).toBeNull();
    await world.advance(24 * 3_600_000 + 1);
    expect(await world.claim("m1")).toMatchObject({ jobId: "a" });
  });

  test("a released job is at once available, before fresh ones, and counts for nothing", async () => {
    const { world, held } = await worldWithHolder();
    world.addJob("older", { created: world.nowMs - 1e6 });
    expect(await world.settle(held, "released")).toEqual({ ok: true, repeat: false });
    expect(await world.claim("m1")).toMatchObject({ jobId: "a", attempt: 2 });
    expect(world.job("a")).toMatchObject({ num_failures: 0, num_interruptions: 0 });
  });

  test("a job given back goes before fresh ones even if these are on the page already", async () => {
    const world = new World();
    for (const id of ["a", "b", "c"]) world.addJob(id);
    const held = must(await world.claim("m1"));
    await world.settle(held, "released");
    expect(await world.claim("m2")).toMatchObject({ jobId: "a" });
  });

  test("a report that waits for D1 while its holder's renewal adopts the lost row is taken", async () => {
    const { world, held } = await worldWithHolder();
    world.loseObject();
    let renewed: Promise<unknown> | undefined;
    world.whileWaiting = (s) => {
      if (writes(s, "its_end")) renewed ??= world.renew(held);
    };
    expect(await world.settle(held, "completed")).toMatchObject({ ok: true });
    await renewed;
    expect(world.job("a").status).toBe("completed");
  });

  test("a zombie's report is refused although its own machine holds the job again and the row is lost", async () => {
    const { world, held } = await worldWithHolder();
    await world.advance(61_000);
    const again = must(await world.claim("m1"));
    await world.renew(again);
    world.loseObject();
    expect(await world.settle(held, "completed")).toEqual({ ok: false, reason: "superseded" });
    expect(await world.settle(again, "completed")).toEqual({ ok: true, repeat: false });
  });

  test("a job that nobody has claimed may be reported by an old client, once", async () => {
    const world = new World();
    world.addJob("a");
    const report = () => world.engine.settle(key, "a", "completed", { machineId: "m" }, {});
    expect(await report()).toEqual({ ok: true, repeat: false });
    expect(await report()).toEqual({ ok: true, repeat: true });
    expect(world.job("a")).toMatchObject({ status: "completed", machine_id: "m" });
    world.addJob("b");
    const fail = () => world.engine.settle(key, "b", "failed", { machineId: "m" }, {});
    expect(await fail()).toEqual({ ok: true, repeat: false });
    expect(await fail()).toEqual({ ok: true, repeat: true });
    expect(world.job("b")).toMatchObject({ status: "pending", num_failures: 1 });
  });

  test("an unclaimed job's failure, repeated after another machine's, counts once for each", async () => {
    const world = new World();
    world.addJob("a");
    const fail = (machineId: string) => world.engine.settle(key, "a", "failed", { machineId }, {});
    expect(await fail("m1")).toEqual({ ok: true, repeat: false });
    expect(await fail("m2")).toEqual({ ok: true, repeat: false });
    expect(await fail("m1")).toEqual({ ok: true, repeat: true });
    expect(world.job("a")).toMatchObject({ status: "pending", num_failures: 2 });
  });

  test("an unclaimed job whose report D1 has not heard yet is given to nobody", async () => {
    const world = new World();
    world.addJob("a");
    world.faultOf = (s) => (writes(s, "status = 'completed'") ? "refused" : undefined);
    const report = await world.engine.settle(key, "a", "completed", { machineId: "m" }, {});
    expect(report).toEqual({ ok: false, reason: "unavailable" });
    world.faultOf = () => undefined;
    expect(await world.claim("m2")).toBeNull();
    await world.advance(3_000);
    expect(world.job("a").status).toBe("completed");
  });

  test("a claim that meets an unclaimed job's report gets the next job", async () => {
    const world = new World();
    world.addJob("a");
    let claimed: Promise<unknown> | undefined;
    world.whileWaiting = (s) => {
      if (writes(s, "status = 'completed'")) claimed = world.claim("m2");
    };
    await world.engine.settle(key, "a", "completed", { machineId: "m" }, {});
    expect(await claimed).toBeNull();
    expect(world.job("a")).toMatchObject({ status: "completed", attempt: 0 });
  });

  test("any machine of the user cannot complete a job that another holds", async () => {
    const { world } = await worldWithHolder();
    expect(await world.engine.settle(key, "a", "completed", { machineId: "m9" }, {})).toEqual({
      ok: false,
      reason: "not_holder",
    });
    expect(world.job("a").status).toBe("running");
  });

  test("a report about an unknown or foreign job changes nothing", async () => {
    const { world } = await worldWithHolder();
    const holder = { machineId: "m1" };
    expect(await world.engine.settle(key, "nope", "completed", holder, {})).toEqual({
      ok: false,
      reason: "unknown_job",
    });
    world.addJob("foreign", { user_id: "user-2" });
    expect(await world.engine.settle(key, "foreign", "completed", holder, {})).toEqual({
      ok: false,
      reason: "unknown_job",
    });
    expect(await world.engine.cancel(key, "foreign")).toEqual({ ok: false, reason: "unknown_job" });
    expect(world.job("foreign").status).toBe("pending");
  });
});

describe("cancel and purge", () => {
  test("cancel of a running job: its holder is told at its next renewal, its report is refused", async () => {
    const { world, held } = await worldWithHolder();
    expect(await world.engine.cancel(key, "a")).toEqual({ ok: true });
    expect(await world.renew(held)).toEqual({ status: "canceled", reason: "canceled" });
    expect(await world.settle(held, "completed")).toEqual({ ok: false, reason: "canceled" });
    expect(world.attempts("a").map((a) => a.end)).toEqual(["canceled"]);
  });

  test("cancel with D1 away: nobody is told anything until D1 has spoken", async () => {
    const { world, held } = await worldWithHolder();
    world.faultOf = () => "refused";
    expect(await world.engine.cancel(key, "a")).toEqual({ ok: false, reason: "unavailable" });
    expect(await world.renew(held)).toEqual({ status: "unavailable" });
    world.faultOf = () => undefined;
    await world.advance(3_000);
    expect(world.job("a").status).toBe("canceled");
    expect(await world.renew(held)).toEqual({ status: "canceled", reason: "canceled" });
  });

  test("cancel during a claim: the job ends canceled, and nobody runs it", async () => {
    const world = new World();
    world.addJob("a");
    let canceled: Promise<unknown> | undefined;
    world.whileWaiting = (s) => {
      if (writes(s, "SET status = 'running'")) canceled ??= world.engine.cancel(key, "a");
    };
    const held = await world.claim("m1");
    expect(await canceled).toEqual({ ok: true });
    expect(world.job("a").status).toBe("canceled");
    if (held) expect(await world.renew(held)).toEqual({ status: "canceled", reason: "canceled" });
    expect(world.attempts("a").map((a) => a.end)).toEqual(["canceled"]);
  });

  test("purge removes what waits, cancels what runs, and says how many", async () => {
    const { world, held } = await worldWithHolder();
    for (let i = 0; i < 2500; i++) world.addJob(`job-${i}`);
    world.addJob("foreign", { user_id: "user-2" });
    world.addJob("elsewhere", { container_group_id: "group-2" });
    expect(await world.engine.purge(key)).toEqual({ ok: true, count: 2501 });
    expect(world.job("a").status).toBe("canceled");
    expect(await world.renew(held)).toEqual({ status: "canceled", reason: "canceled" });
    const left = world.d1.prepare("SELECT id FROM jobs WHERE status = 'pending' ORDER BY id").all();
    expect(left.map((row) => row.id)).toEqual(["elsewhere", "foreign"]);
    expect(await world.claim("m2")).toBeNull();
  });

  test("a job given back while the purge runs does not slip through it", async () => {
    const { world, held } = await worldWithHolder();
    let released: Promise<unknown> | undefined;
    world.whileWaiting = (s) => {
      // The purge has seen what waits and what runs; now the running one goes back to the queue.
      if (writes(s, "DELETE FROM jobs")) released ??= world.settle(held, "released");
    };
    expect(await world.engine.purge(key)).toEqual({ ok: true, count: 1 });
    await released;
    const { status } = world.job("a");
    expect(status).toBe("canceled");
    expect(await world.claim("m2")).toBeNull();
  });

  test("purge spares what was submitted after it began", async () => {
    const world = new World();
    world.addJob("a");
    world.addJob("new", { created: world.nowMs + 1 });
    expect(await world.engine.purge(key)).toEqual({ ok: true, count: 1 });
    expect(world.job("new").status).toBe("pending");
  });

  test("a job claimed while the purge runs is canceled by it", async () => {
    const world = new World();
    world.addJob("a");
    let begun: ReturnType<World["claim"]> | undefined;
    world.faultOf = (s) => {
      // The claim slips in before the purge's first bite.
      if (writes(s, "DELETE FROM jobs")) begun ??= world.claim("m1");
      return undefined;
    };
    const answer = await world.engine.purge(key);
    await begun;
    expect(answer).toMatchObject({ ok: true });
    const rows = world.d1.prepare("SELECT status FROM jobs").all();
    expect(rows.filter((row) => row.status === "running" || row.status === "pending")).toEqual([]);
  });
});
