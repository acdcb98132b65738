/** What the autoscaler does with a group, and what it leaves alone, step by step and with faults in between. */
import { describe, expect, test } from "vitest";
import { resumeGroup } from "../../src/db/groups/pause.ts";
import { writes } from "../engine/world.ts";
import { status, unanswered } from "./salad.ts";
import { key, ScalingWorld } from "./world.ts";

const html = status(502, "unavailable", "502 with HTML");

describe("upwards", () => {
  test("more jobs than instances: replicas are asked for, nothing else", async () => {
    const world = new ScalingWorld();
    world.salad.run(1);
    world.jobs(4);
    expect(await world.scaler.pass()).toEqual({ rules: 1, steps: 1, failed: 0, left: 0 });
    expect(world.salad.replicas).toBe(4);
    expect(world.history).toEqual(["scale_up 1→4"]);
    expect(world.salad.calls.filter((call) => /stop|start|list/.test(call))).toEqual([]);
    // What is on its way counts: nothing more is asked for.
    await world.scaler.pass();
    expect(world.history).toEqual(["scale_up 1→4"]);
  });

  test("a stopped group gets its replicas before it is started", async () => {
    const world = new ScalingWorld();
    Object.assign(world.salad, { state: "stopped", replicas: 9 });
    world.jobs(2);
    await world.scaler.pass();
    expect(world.salad.calls.filter((call) => /set|start/.test(call))).toEqual([
      "setReplicas 2",
      "startGroup",
    ]);
    expect(world.history).toEqual(["start 0→2"]);
  });

  test("after its start, where a stopped group takes none; fewer are a step of their own", async () => {
    const world = new ScalingWorld();
    Object.assign(world.salad, { state: "stopped", replicas: 1, patchesStopped: false });
    world.jobs(2);
    await world.scaler.pass();
    expect([world.salad.state, world.salad.replicas]).toEqual(["deploying", 2]);
    expect(world.history).toEqual(["start 0→2"]);

    const other = new ScalingWorld();
    Object.assign(other.salad, { state: "stopped", replicas: 3, patchesStopped: false });
    other.jobs(2);
    // They are there at once, and the one with the lowest cost has a job that it has not told of.
    other.salad.meanwhile = async (call) => {
      if (call !== "setReplicas" || other.salad.state === "stopped") return;
      other.salad.arrive();
      await other.claimAt("m1");
    };
    await other.scaler.pass();
    expect([other.salad.state, other.history]).toEqual(["deploying", ["start 0→3"]]);
    other.salad.meanwhile = () => {};
    other.salad.run(3);
    await other.busy("m1");
    await other.scaler.pass();
    expect([other.salad.replicas, other.history.at(-1)]).toEqual([2, "scale_down 3→2"]);
  });

  test("a start refused since somebody has started it is none that failed", async () => {
    const world = new ScalingWorld();
    Object.assign(world.salad, { state: "stopped", replicas: 2 });
    world.jobs(2);
    world.salad.meanwhile = (call) => {
      if (call === "startGroup") world.salad.state = "running";
    };
    await world.scaler.pass();
    expect(world.history).toEqual(["start 0→2"]);
  });

  test("the quota bounds it; where it is not known, Salad's refusal is told, once an hour", async () => {
    const world = new ScalingWorld();
    world.salad.run(1);
    world.salad.quota = { replicas: 20, usedByOthers: 17 };
    world.jobs(9);
    await world.scaler.pass();
    expect(world.history).toEqual(["scale_up 1→3"]);
    world.salad.faultOf = (call) => (call === "readQuota" ? { answer: html } : undefined);
    for (let minute = 0; minute < 59; minute++) {
      world.nowMs += 60_000;
      await world.scaler.pass();
    }
    expect(world.history).toEqual(["scale_up 1→3", "scale_up 3→null: SaladCloud refused: over quota"]);
    world.nowMs += 120_000;
    await world.scaler.pass();
    expect(world.history).toHaveLength(3);
  });

  test("a quota that leaves too few is told once an hour, until it leaves enough", async () => {
    const world = new ScalingWorld();
    Object.assign(world.salad, { state: "stopped", quota: { replicas: 5, usedByOthers: 5 } });
    world.jobs(2);
    for (let minute = 0; minute < 50; minute++) {
      expect(await world.scaler.pass()).toMatchObject({ steps: 0, failed: 1 });
      world.nowMs += 60_000;
    }
    const told = expect.stringMatching(/^none 0→null: the organization's quota leaves fewer/);
    expect(world.history).toEqual([told]);
    world.salad.quota.usedByOthers = 4;
    await world.scaler.pass();
    world.nowMs += 60_000;
    await world.scaler.pass();
    expect(world.history).toEqual([told, "start 0→1", expect.stringMatching(/^none 1→null: the org/)]);
    world.salad.quota.usedByOthers = 0;
    await world.scaler.pass();
    expect([world.salad.replicas, world.history.at(-1)]).toEqual([2, "scale_up 1→2"]);
  });

  test("an answer that was lost: the group itself tells that it was done", async () => {
    const world = new ScalingWorld();
    world.salad.run(1);
    world.jobs(4);
    world.salad.faultOf = (call) =>
      call === "setReplicas" ? { answer: unanswered, applied: true } : undefined;
    await world.scaler.pass();
    expect(world.history).toEqual(["scale_up 1→4"]);
  });

  test("a rule that is changed in the middle stops the step", async () => {
    const world = new ScalingWorld();
    world.salad.run(1);
    world.jobs(4);
    // After it was read again in the turn: only the mark itself can see it.
    let looks = 0;
    world.salad.meanwhile = (call) => {
      if (call === "readQuota" && ++looks === 2)
        world.run("UPDATE scaling_rules SET paused = 1, updated = updated + 1");
    };
    await world.scaler.pass();
    expect([world.salad.replicas, world.history]).toEqual([1, []]);
  });
});

describe("downwards", () => {
  test("idle instances go, busy ones stay, and those who stay may claim again", async () => {
    const world = new ScalingWorld();
    world.salad.run(4);
    world.jobs(2);
    const kept = [await world.busy("m1"), await world.busy("m3")];
    await world.scaler.pass();
    expect(world.salad.replicas).toBe(2);
    expect(world.history).toEqual(["scale_down 4→2"]);
    world.jobs(3);
    // They still run, and ask: they are about to go.
    expect([await world.claimAt("m2"), await world.claimAt("m4")]).toEqual([null, null]);
    expect(world.salad.finishStopping().sort()).toEqual(["m2", "m4"]);
    for (const held of kept) expect(await world.renew(held)).toMatchObject({ status: "running" });
    expect(await world.claimAt("m1")).not.toBeNull();
    // Another instance on a machine that went.
    expect(await world.claimAt("m2", "i99")).not.toBeNull();
  });

  test("a node whose claim comes while Salad is asked gets nothing, however it is timed", async () => {
    for (const moment of ["listInstances", "setReplicas"] as const) {
      const world = new ScalingWorld({ min: 1 });
      world.salad.run(3);
      const claims: unknown[] = [];
      world.salad.meanwhile = async (call) => {
        if (call !== moment) return;
        if (claims.length === 0) world.jobs(2);
        claims.push(await world.claimAt("m1"), await world.claimAt("m2"));
      };
      await world.scaler.pass();
      world.salad.meanwhile = () => {};
      expect(world.salad.replicas).toBe(1);
      expect(claims.every((claim) => claim === null)).toBe(true);
      const stays = world.salad.instances.find(({ state }) => state === "running")?.machineId ?? "";
      expect(await world.claimAt(stays)).not.toBeNull();
      expect(world.leases()).toHaveLength(1);
    }
  });

  test("a claim that was choosing its job when the hold came gets none", async () => {
    const world = new ScalingWorld({ min: 1 });
    world.salad.run(3);
    world.jobs(1);
    let held = false;
    // The hold is answered while the claim reads the queue.
    world.whileWaiting = async (statements) => {
      if (held || !statements.some(({ sql }) => /FROM jobs/.test(sql))) return;
      held = true;
      expect(await world.engine.holdGrants(key, "op", world.nowMs + 60_000)).toMatchObject({
        busyMachineIds: [],
      });
    };
    expect(await world.claimAt("m1")).toBeNull();
    expect(held).toBe(true);
    expect(world.leases()).toEqual([]);
    expect(await world.engine.narrowHold(key, "op", { instances: [], untilMs: 0 }, 1)).toBe(true);
    expect(await world.claimAt("m1")).not.toBeNull();
  });

  test("a lease that D1 has not confirmed yet counts as held", async () => {
    const world = new ScalingWorld();
    world.salad.run(2);
    world.jobs(1);
    // The claim's write goes through, its answer is lost, and D1 cannot be asked what became of it.
    let lost = false;
    world.faultOf = (statements) => {
      if (lost) return "refused";
      lost = writes(statements, "UPDATE jobs");
      return lost ? "answer-lost" : undefined;
    };
    await world.claimAt("m1");
    world.faultOf = () => undefined;
    expect(world.leases()).toMatchObject([{ phase: "claiming" }]);
    const held = await world.engine.holdGrants(key, "op", world.nowMs + 60_000);
    expect(held).toEqual({ ok: true, busyMachineIds: ["m1"], unnamed: 0, lastGrantMsAgo: 0, step: null });
  });

  test("zero: stopped only when no lease lives, one taken meanwhile included", async () => {
    const world = new ScalingWorld();
    world.salad.run(2);
    world.jobs(1);
    const held = await world.busy("m1");
    // D1 says that it has ended; the object knows that its end is not settled.
    world.run("UPDATE jobs SET status = 'completed', completed = 1");
    await world.scaler.pass();
    expect([world.salad.state, world.salad.replicas]).toEqual(["running", 1]);
    world.run("UPDATE jobs SET status = 'running', completed = NULL");
    await world.settle(held, "completed");
    await world.scaler.pass();
    expect(world.salad.state).toBe("stopped");
    expect(world.history).toEqual(["scale_down 2→1", "stop 1→0"]);
  });

  test("a stop takes all that were there, and those of the next start claim at once", async () => {
    const world = new ScalingWorld();
    world.salad.run(2);
    await world.scaler.pass();
    expect(world.salad.state).toBe("stopped");
    world.jobs(1);
    expect([await world.claimAt("m1"), await world.claimAt("m2")]).toEqual([null, null]);
    expect((await world.engine.jobsAdded(key, 0)).unattended).toBe(true);
    await world.scaler.submitted(key);
    world.salad.finishStopping();
    world.salad.run(1);
    const [fresh] = world.salad.instances;
    expect(await world.claimAt(fresh?.machineId ?? "", fresh?.id)).not.toBeNull();
    expect(world.history).toEqual(["stop 2→0", "start 0→1"]);
  });

  test("of a group that has succeeded meanwhile all who were there are going, as of one that is stopped", async () => {
    const world = new ScalingWorld();
    world.salad.run(2);
    // Neither the stop's answer nor what became of it was seen: the hold stands open.
    let isAsked = false;
    world.salad.faultOf = (call) => {
      isAsked ||= call === "stopGroup";
      return isAsked ? { answer: unanswered } : undefined;
    };
    await world.scaler.pass();
    expect(await world.engine.grantHold(key)).not.toBeNull();
    world.salad.faultOf = () => undefined;
    world.salad.state = "succeeded";
    world.nowMs += 60_000;
    await world.scaler.pass();
    expect(await world.engine.grantHold(key)).toBeNull();
    world.jobs(1);
    expect([await world.claimAt("m1"), await world.claimAt("m2")]).toEqual([null, null]);
  });

  test("a machine that is back as another instance is idle, whatever its last one held", async () => {
    const world = new ScalingWorld({ min: 1 });
    world.salad.run(3);
    world.jobs(3);
    await world.claimAt("m1");
    // It vanished with its lease, and Salad has put another instance on it.
    for (const instance of world.salad.instances) if (instance.id === "i1") instance.id = "i9";
    await world.engine.holdGrants(key, "op", world.nowMs + 60_000);
    expect(await world.claimAt("m1", "i9")).toBeNull();
    // An old worker names none: it may be the one that holds the lease.
    expect(await world.engine.claim(key, { machineId: "m1" })).toMatchObject({
      ok: true,
      job: { status: "running" },
    });
    const doomed = [{ machineId: "as Salad calls it", instanceId: "i2" }];
    await world.engine.narrowHold(key, "op", { instances: doomed, untilMs: world.nowMs + 60_000 }, 0);
    expect(await world.claimAt("m2", "i2")).toBeNull();
    expect(await world.claimAt("m2", "i7")).not.toBeNull();
  });

  test("busy instances that Salad would take first are not risked", async () => {
    const world = new ScalingWorld();
    world.salad.run(4);
    world.jobs(1);
    await world.busy("m1", 0);
    await world.scaler.pass();
    expect(world.salad.replicas).toBe(4);
    expect(world.history).toEqual([expect.stringMatching(/^drain 4→null: the deletion costs/)]);
    // Given up, all may claim again.
    world.jobs(1);
    expect(await world.claimAt("m2")).not.toBeNull();
    world.salad.cost("m1", 5);
    world.salad.cost("m2", 7);
    // One that has just ended its job and not lowered its cost yet is not counted on.
    world.salad.cost("m3", 6);
    await world.scaler.pass();
    expect(world.salad.replicas).toBe(3);
  });

  test("a cost that Salad does not tell stands in nobody's way", async () => {
    const world = new ScalingWorld();
    world.salad.run(2);
    world.jobs(1);
    await world.busy("m1", null);
    world.salad.cost("m2", null);
    // But of a node that has just begun a job nobody knows whether it is marked.
    await world.scaler.pass();
    expect([world.salad.replicas, world.history]).toEqual([2, []]);
    expect(await world.engine.grantHold(key)).toBeNull();
    world.nowMs += 15_000;
    await world.scaler.pass();
    expect(world.salad.replicas).toBe(1);
  });

  test("a cost that is left out while others are told is 0", async () => {
    const world = new ScalingWorld();
    world.salad.run(3);
    world.jobs(1);
    await world.busy("m1", null);
    world.nowMs += 60_000;
    await world.scaler.pass();
    expect(world.history).toEqual([expect.stringMatching(/^drain 3→null/)]);
  });

  test("while Salad has not shown whom it takes, nobody idle claims; then those who stay do", async () => {
    const world = new ScalingWorld({ min: 2, downCooldown: 900 });
    world.salad.run(4);
    world.salad.choosesAtOnce = false;
    await world.scaler.pass();
    world.jobs(2);
    expect(await world.claimAt("m1")).toBeNull();
    world.nowMs += 60_000;
    await world.scaler.pass();
    expect(await world.claimAt("m1")).toBeNull();
    world.salad.choose();
    world.nowMs += 60_000;
    await world.scaler.pass();
    const states = world.salad.instances.map(({ state }) => state);
    const claims = [];
    for (const { machineId } of world.salad.instances) claims.push((await world.claimAt(machineId)) !== null);
    expect(claims).toEqual(states.map((state) => state === "running"));
    expect(world.woken).toBe(2);
    expect(world.history).toEqual(["scale_down 4→2"]);
  });

  test("a stop that comes to nothing lifts no hold of a step down that Salad has not carried out yet", async () => {
    const world = new ScalingWorld({ min: 3 });
    world.salad.run(6);
    world.salad.choosesAtOnce = false;
    await world.scaler.pass();
    expect(world.history).toEqual(["scale_down 6→3"]);
    world.run("UPDATE scaling_rules SET min_replicas = 0");
    world.salad.faultOf = (call) => (call === "listInstances" ? { answer: html } : undefined);
    for (let pass = 0; pass < 2; pass++) await world.scaler.pass();
    expect(world.history.at(-1)).toMatch(/^drain 3→null/);
    world.jobs(3);
    // Also past the three minutes that a choice may take: the first step's hold outlasts them.
    for (const laterMs of [0, 200_000]) {
      world.nowMs += laterMs;
      expect(await world.claimAt("m1")).toBeNull();
    }
    world.salad.faultOf = () => undefined;
    world.salad.choose();
    await world.scaler.pass();
    expect(world.salad.finishStopping()).toEqual(["m1", "m2", "m3"]);
    expect(await world.claimAt("m4")).not.toBeNull();
  });

  test("an instance that Salad lists no more is going: its agent, which may live some seconds yet, gets nothing", async () => {
    const world = new ScalingWorld({ min: 1 });
    world.salad.run(3);
    let gone: string[] = [];
    world.salad.meanwhile = (call) => {
      if (call === "listInstances" && world.salad.replicas === 1) gone = world.salad.finishStopping();
    };
    await world.scaler.pass();
    expect([world.history, gone]).toEqual([["scale_down 3→1"], ["m1", "m2"]]);
    world.jobs(1);
    expect(await world.claimAt("m1")).toBeNull();
    expect(await world.claimAt("m3")).not.toBeNull();
  });

  test("agents that a hold keeps from claiming are shown as draining", async () => {
    const world = new ScalingWorld();
    world.jobs(1);
    await world.busy("m1");
    await world.claimAt("m2");
    await world.engine.holdGrants(key, "op", world.nowMs + 60_000);
    const { agents } = await world.engine.status(key);
    expect(agents.map(({ machineId, state }) => `${machineId} ${state}`).sort()).toEqual([
      "m1 busy",
      "m2 draining",
    ]);
  });

  test("the autoscaler dies between the hold and Salad: idle nodes claim again by themselves", async () => {
    const world = new ScalingWorld({ min: 1 });
    world.salad.run(3);
    world.faultOf = (statements) => (writes(statements, "SET scaled_down") ? "refused" : undefined);
    expect((await world.scaler.pass()).failed).toBe(1);
    world.faultOf = () => undefined;
    expect(world.salad.replicas).toBe(3);
    world.jobs(1);
    expect(await world.claimAt("m1")).toBeNull();
    // Also when the object has been restarted in between.
    world.restart();
    expect(await world.claimAt("m1")).toBeNull();
    world.nowMs += 180_000;
    expect(await world.claimAt("m1")).not.toBeNull();
  });

  test("it dies between Salad and the record: the mark on the rule leads the next pass to lift the hold", async () => {
    const world = new ScalingWorld({ min: 1, downCooldown: 900 });
    world.salad.run(3);
    world.faultOf = (statements) =>
      writes(statements, "INSERT INTO scaling_events") ? "refused" : undefined;
    expect((await world.scaler.pass()).failed).toBe(1);
    world.faultOf = () => undefined;
    expect(world.salad.replicas).toBe(1);
    world.jobs(1);
    const stays = world.salad.instances.find(({ state }) => state === "running")?.machineId ?? "";
    expect(await world.claimAt(stays)).toBeNull();
    world.nowMs += 60_000;
    await world.scaler.pass();
    expect(await world.claimAt(stays)).not.toBeNull();
  });

  test.each([
    ["refused", status(400, "rejected"), false, "none may claim longer than needed"],
    ["lost, not done", html, false, "held until it is seen"],
    ["lost, and done", html, true, "held until it is seen"],
  ])("Salad's answer: %s", async (_name, answer, applied) => {
    const world = new ScalingWorld({ min: 1, downCooldown: 900 });
    world.salad.run(3);
    world.salad.faultOf = (call) => (call === "setReplicas" ? { answer, applied } : undefined);
    await world.scaler.pass();
    world.salad.faultOf = () => undefined;
    world.jobs(1);
    if (applied) {
      expect(world.history).toEqual(["scale_down 3→1"]);
    } else {
      expect(world.history).toEqual([expect.stringMatching(/^scale_down 3→null: SaladCloud/)]);
      // A refusal changes nothing: no cooldown, no hold. An open question holds until the next look.
      expect(world.rule?.scaled_down === null).toBe(answer.reason === "rejected");
      expect((await world.claimAt("m1")) === null).toBe(answer.reason !== "rejected");
      world.nowMs += 60_000;
      await world.scaler.pass();
      if (answer.reason !== "rejected") expect(await world.claimAt("m1")).not.toBeNull();
    }
  });

  test("a mark is taken back only if Salad refused", async () => {
    const world = new ScalingWorld({ min: 1, downCooldown: 900 });
    world.salad.run(3);
    world.salad.faultOf = (call) =>
      call === "setReplicas" ? { answer: status(400, "rejected") } : undefined;
    await world.scaler.pass();
    world.salad.faultOf = () => undefined;
    await world.scaler.pass();
    expect(world.salad.replicas).toBe(1);
  });
});

describe("who decides", () => {
  test("two at once: one step, one record", async () => {
    const world = new ScalingWorld({ min: 1 });
    world.salad.run(3);
    const other = new (world.scaler.constructor as typeof import("../../src/scaling/scaler.ts").Scaler)(
      world.ports,
    );
    await Promise.all([world.scaler.pass(), other.pass()]);
    expect(world.history).toEqual(["scale_down 3→1"]);
    expect(world.salad.calls.filter((call) => call.startsWith("setReplicas"))).toEqual(["setReplicas 1"]);
  });

  test("one whose turn has passed to another does not ask Salad any more", async () => {
    const world = new ScalingWorld({ min: 1 });
    world.salad.run(3);
    let stolen = false;
    world.salad.meanwhile = async (call) => {
      if (call !== "listInstances" || stolen) return;
      stolen = true;
      world.nowMs += 121_000;
      const place = JSON.stringify(["acme", "default", "trainers"]);
      expect(await world.desk.takeTurn(place, "another")).toBe(true);
    };
    await world.scaler.pass();
    expect([world.salad.replicas, world.rule?.scaled_down, world.history]).toEqual([3, null, []]);
  });

  test("nor starts a group, after an answer that was slow to come", async () => {
    const world = new ScalingWorld({ upCooldown: 600 });
    Object.assign(world.salad, { state: "stopped", replicas: 9 });
    world.jobs(2);
    world.salad.meanwhile = async (call) => {
      if (call !== "setReplicas") return;
      world.nowMs += 121_000;
      const place = JSON.stringify(["acme", "default", "trainers"]);
      expect(await world.desk.takeTurn(place, "another")).toBe(true);
    };
    await world.scaler.pass();
    expect([world.salad.state, world.rule?.scaled_up, world.history]).toEqual(["stopped", null, []]);
  });

  test("a later operation's hold is not lifted, nor renewed, by an earlier one", async () => {
    const world = new ScalingWorld();
    await world.engine.holdGrants(key, "first", world.nowMs + 60_000);
    await world.engine.holdGrants(key, "second", world.nowMs + 60_000);
    expect(await world.engine.narrowHold(key, "first", { instances: [], untilMs: 0 }, 0)).toBe(false);
    const step = { replicas: 1, instances: [] };
    expect(await world.engine.holdGrants(key, "first", world.nowMs + 60_000, step)).toEqual({ ok: false });
    expect(await world.engine.grantHold(key)).toEqual({ operationId: "second", step: null });
  });

  test("a person asks: a dry run tells and does nothing, else it is done", async () => {
    const world = new ScalingWorld();
    world.salad.run(4);
    world.jobs(1);
    await world.busy("m1");
    const told = await world.scaler.evaluate(key, true);
    expect(told).toMatchObject({
      action: "scale_down",
      wanted: 1,
      replicasAfter: 1,
      inputs: { busy_nodes: 1 },
    });
    expect([world.salad.replicas, world.history]).toEqual([4, []]);
    expect(await world.scaler.evaluate(key, false)).toMatchObject({
      trigger: "person",
      action: "scale_down",
    });
    expect(world.salad.replicas).toBe(1);
    world.run("DELETE FROM scaling_rules");
    expect(await world.scaler.evaluate(key, true)).toBeNull();
  });

  test("a submission only ever steps up, and counts what comes with it", async () => {
    const world = new ScalingWorld();
    world.salad.run(4);
    world.jobs(1);
    expect(await world.scaler.submitted(key)).toMatchObject({ action: "none" });
    expect(world.salad.replicas).toBe(4);
    Object.assign(world.salad, { state: "stopped", instances: [] });
    world.ports.sleep = async () => world.jobs(2);
    expect(await world.scaler.submitted(key)).toMatchObject({ action: "start", replicasAfter: 3 });
  });

  test("nor does it step down where its jobs are gone by its turn", async () => {
    const world = new ScalingWorld();
    world.salad.run(2);
    world.jobs(3);
    const { turns } = world.ports;
    world.ports.turns = {
      takeTurn: async (name, operationId) => {
        world.run("UPDATE jobs SET status = 'canceled', canceled = 1");
        return await turns.takeTurn(name, operationId);
      },
      endTurn: (...given) => turns.endTurn(...given),
    };
    expect(await world.scaler.submitted(key)).toMatchObject({ action: "none", error: null });
    expect([world.salad.replicas, world.salad.state, world.history]).toEqual([2, "running", []]);
  });
});

describe("a group that is paused", () => {
  test("gets no instances for jobs that it does not hand out, and those once it does", async () => {
    const world = new ScalingWorld();
    Object.assign(world.salad, { state: "stopped" });
    world.jobs(3);
    world.run("INSERT INTO groups VALUES (?1, ?2, 1)", [key.userId, key.containerGroupId]);
    expect(await world.scaler.submitted(key)).toMatchObject({
      action: "none",
      wanted: 0,
      inputs: { pending: 3, queue_paused: true },
      reason: expect.stringContaining("the queue is paused"),
    });
    await world.scaler.pass();
    expect([world.salad.state, world.history]).toEqual(["stopped", []]);
    const resume = resumeGroup(key.userId, key.containerGroupId);
    world.run(resume.sql, resume.params);
    expect(await world.engine.resumed(key, 3)).toEqual({ unattended: true });
    await world.scaler.submitted(key);
    expect(world.history).toEqual(["start 0→3"]);
  });
});

test("a new rule gives nothing up before its cooldown is over", async () => {
  const world = new ScalingWorld({ downCooldown: 900, created: 1_000_000 });
  world.nowMs = 1_000_000;
  world.salad.run(2);
  world.nowMs += 899_000;
  await world.scaler.pass();
  expect(world.history).toEqual([]);
  world.nowMs += 1_000;
  await world.scaler.pass();
  expect(world.history).toEqual(["stop 2→0"]);
});

describe("after a submission", () => {
  test("jobs that come within some seconds of the first step are asked for as well; once, and only after a step", async () => {
    const world = new ScalingWorld();
    Object.assign(world.salad, { state: "stopped" });
    const slept: number[] = [];
    world.ports.sleep = async (ms) => {
      slept.push(ms);
      world.nowMs += ms;
      world.jobs(2);
    };
    await world.scaler.submitted(key);
    expect(world.history).toEqual(["start 0→2", "scale_up 2→4"]);
    expect(slept).toEqual([2_000, 8_000]);
    world.salad.run(10);
    await world.scaler.submitted(key);
    expect(slept).toEqual([2_000, 8_000, 2_000]);
  });

  test("a first look that took long is the only one", async () => {
    const world = new ScalingWorld();
    Object.assign(world.salad, { state: "stopped" });
    world.jobs(1);
    world.salad.meanwhile = (call) => {
      if (call === "startGroup") world.nowMs += 5_000;
    };
    const beganMs = world.nowMs;
    expect(await world.scaler.submitted(key)).toMatchObject({ action: "start" });
    expect(world.nowMs - beganMs).toBe(7_000);
  });

  test("a turn at Salad's API is not waited for past what the platform lets go on after an answer", async () => {
    const world = new ScalingWorld();
    Object.assign(world.salad, { state: "stopped" });
    world.jobs(1);
    // 20 s of rest.
    for (let refused = 0; refused < 3; refused++) await world.desk.exhausted();
    const beganMs = world.nowMs;
    expect(await world.scaler.submitted(key)).toMatchObject({ action: "none", trouble: "untried" });
    expect(world.nowMs - beganMs).toBeLessThan(10_000);
  });
});

describe("what Salad may answer", () => {
  test.each([
    [
      "a 403: it stays, and that is told",
      status(403, "refused"),
      "none null→null: the deployment's SALAD_API_KEY does not reach it: no",
    ],
    [
      "HTML",
      status(403, "unavailable", "403 with HTML"),
      "none null→null: SaladCloud gave no answer to go by: 403 with HTML",
    ],
    ["no answer", unanswered, "none null→null: SaladCloud gave no answer to go by: no answer within 10 s"],
  ])("%s", async (_name, answer, event) => {
    const world = new ScalingWorld();
    world.salad.faultOf = (call) => (call === "getGroup" ? { answer } : undefined);
    await world.scaler.pass();
    expect(world.history).toEqual([event]);
    expect(world.rule).toBeDefined();
    world.nowMs += 60_000;
    await world.scaler.pass();
    expect(world.history).toEqual([event]);
  });

  test("a 404, and the project's list lacks the group: the rule goes, and the history says so", async () => {
    const world = new ScalingWorld();
    world.salad.exists = false;
    for (let minute = 0; minute < 2; minute++) await world.scaler.pass();
    expect([world.rule, world.history]).toEqual([undefined, ["remove_rule null→null"]]);
  });

  test("another group of that name is not the rule's", async () => {
    const world = new ScalingWorld();
    world.salad.run(3);
    world.salad.id = "another";
    await world.scaler.pass();
    expect([world.rule, world.salad.replicas, world.history]).toEqual([
      undefined,
      3,
      ["remove_rule null→null"],
    ]);
  });

  test("a look that met a 5xx is repeated once; a 429 makes everybody rest, longer each time", async () => {
    const world = new ScalingWorld();
    world.salad.faultOf = (call, count) =>
      call === "getGroup" && count === 1 ? { answer: html } : undefined;
    expect(await world.scaler.pass()).toEqual({ rules: 1, steps: 1, failed: 0, left: 0 });
    expect(world.history).toEqual(["stop 0→0"]);
    const rests = [];
    for (let n = 0; n < 6; n++) {
      await world.desk.exhausted();
      const taken = await world.desk.take("act");
      rests.push(taken.ok ? 0 : taken.waitMs);
      world.nowMs += taken.ok ? 0 : taken.waitMs;
    }
    expect(rests).toEqual([5_000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  test("a group that has failed and whose jobs wait is told", async () => {
    const world = new ScalingWorld();
    Object.assign(world.salad, { state: "failed", replicas: 2 });
    await world.scaler.pass();
    expect(world.history).toEqual([]);
    world.jobs(1);
    await world.scaler.pass();
    expect(world.history).toEqual([expect.stringContaining("could not prepare the group")]);
  });
});
