/** What commands and nodes tell beside the lease protocol: progress, final uploads, facts about the node. */
import { describe, expect, test } from "vitest";
import { key, must, World, worldWithHolder } from "./world.ts";

const report = { step: 120, total: 1000, message: "epoch 2" };
const progressOf = (world: World) => JSON.parse(String(world.job("a").progress));
const live = async (world: World) => (await world.engine.live(key, "a"))?.progress;

describe("progress", () => {
  test("a report is live at once, and in D1 with the minute's flush; neither costs the renewal anything", async () => {
    const { world, held } = await worldWithHolder();
    const { statements } = world;
    const writes = world.objectWrites;
    await world.advance(1_000);
    await world.renew(held, { progressReport: report });
    // The second renewal of this life is written for its own sake; the third is not, report or no report.
    const afterOne = world.objectWrites;
    await world.advance(1_000);
    await world.renew(held, { progressReport: { step: 121 } });
    expect([world.statements, world.objectWrites - afterOne]).toEqual([statements, 0]);
    expect(afterOne - writes).toBe(1);
    expect(await live(world)).toEqual({ step: 121, total: null, message: null, at: world.nowMs });
    expect(world.job("a").progress).toBeNull();
    const told = world.nowMs;
    await world.advance(60_000);
    expect(progressOf(world)).toEqual({ step: 121, total: null, message: null, at: told });
  });

  test("a renewal that tells nothing, or the same again, leaves it as it was told first", async () => {
    const { world, held } = await worldWithHolder();
    await world.renew(held, { progressReport: report });
    const told = world.nowMs;
    await world.advance(5_000);
    await world.renew(held);
    await world.renew(held, { progressReport: null });
    await world.renew(held, { progressReport: { ...report } });
    expect(await live(world)).toEqual({ ...report, at: told });
  });

  test("an eviction forgets what D1 has not heard; D1 keeps what it has", async () => {
    const { world, held } = await worldWithHolder();
    await world.renew(held, { progressReport: report });
    const told = world.nowMs;
    const minute = async () => {
      await world.advance(40_000);
      await world.renew(held);
      await world.advance(21_000);
    };
    await minute();
    await world.renew(held, { progressReport: { step: 999 } });
    world.restart();
    expect(await live(world)).toBeNull();
    await world.renew(held);
    await minute();
    expect(progressOf(world)).toEqual({ ...report, at: told });
  });

  test("the report of the end has the last word, and else what was told before", async () => {
    const { world, held } = await worldWithHolder();
    await world.renew(held, { progressReport: report });
    await world.advance(1_000);
    await world.settle(held, "released", { progress: { step: 130, total: 1000 } });
    expect(progressOf(world)).toEqual({ step: 130, total: 1000, message: null, at: world.nowMs });

    const next = must(await world.claim("m2"));
    await world.renew(next, { progressReport: { step: 140 } });
    const told = world.nowMs;
    await world.advance(61_000);
    expect(world.attempts("a")[1]).toMatchObject({ end: "interrupted" });
    expect(progressOf(world)).toMatchObject({ step: 140, at: told });
  });

  test("of an attempt that is over does not show in the next", async () => {
    const { world, held } = await worldWithHolder();
    await world.renew(held, { progressReport: report });
    await world.settle(held, "released");
    await world.renew(must(await world.claim("m2")));
    expect(await live(world)).toBeNull();
    await world.renew(held, { progressReport: { step: 1 } });
    expect(await live(world)).toBeNull();
  });

  test("the minute's flush tells that the command runs, once, and leaves it", async () => {
    const { world, held } = await worldWithHolder();
    await world.advance(50_000);
    await world.renew(held);
    await world.advance(11_000);
    expect(world.attempts("a")[0]).toMatchObject({ acknowledged: expect.any(Number), command_started: null });
    await world.renew(held, { commandStarted: true });
    const started = world.nowMs;
    for (let minute = 0; minute < 3; minute++) {
      await world.advance(30_000);
      await world.renew(held, { commandStarted: true });
      await world.advance(25_000);
    }
    expect(world.attempts("a")[0]).toMatchObject({ end: null, command_started: started });
  });
});

describe("final uploads", () => {
  const jobs = async (world: World) => (await world.engine.status(key)).agents.flatMap(({ jobs }) => jobs);

  test("are shown for as long as they go on, so that nobody takes the node", async () => {
    const { world, held } = await worldWithHolder();
    expect(await jobs(world)).toEqual([{ jobId: "a", attempt: 1, uploading: false }]);
    await world.renew(held, { uploading: true });
    expect(await jobs(world)).toMatchObject([{ uploading: true }]);
    // A call about storage renews the lease and says nothing of it.
    await world.renew(held);
    expect(await jobs(world)).toMatchObject([{ uploading: true }]);
    await world.settle(held, "completed");
    expect(await jobs(world)).toEqual([]);
  });

  test("go on across calls that say nothing of them and across lives of the object, until a renewal says otherwise", async () => {
    const { world, held } = await worldWithHolder();
    await world.renew(held, { uploading: true });
    await world.renew(held);
    expect(await jobs(world)).toMatchObject([{ uploading: true }]);
    world.restart();
    expect(await jobs(world)).toMatchObject([{ uploading: true }]);
    await world.renew(held);
    expect(await jobs(world)).toMatchObject([{ uploading: true }]);
    await world.renew(held, { uploading: false });
    expect(await jobs(world)).toMatchObject([{ uploading: false }]);
  });

  test("a grant that nobody has acknowledged uploads nothing", async () => {
    const world = new World();
    world.addJob("a");
    await world.claim("m1");
    expect(await jobs(world)).toMatchObject([{ uploading: false }]);
  });
});

describe("facts about the node", () => {
  test("stand on the attempt; without any there is null", async () => {
    const world = new World();
    for (const id of ["a", "b"]) world.addJob(id);
    const node = { agent_version: "1.2.3", gpu_model: "RTX 4090", gpu_count: 2 };
    await world.engine.claim(key, { machineId: "m1", claimId: "c1", node });
    await world.claim("m2");
    expect(JSON.parse(String(world.attempts("a")[0]?.node))).toEqual(node);
    expect(world.attempts("b")[0]?.node).toBeNull();
  });
});
