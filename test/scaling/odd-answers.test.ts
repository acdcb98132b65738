/** Answers that come late or never, refusals that are certain, and rules that change while instances are going. */
import { describe, expect, test } from "vitest";
import { updateRule } from "../../src/db/scaling/rules.ts";
import { writes } from "../engine/world.ts";
import { status, unanswered } from "./salad.ts";
import { key, ScalingWorld } from "./world.ts";

const tooMany = status(429, "unavailable", "429");
const notFound = status(404, "refused");

/** No request is made for a minute. */
async function spendBudget(world: ScalingWorld): Promise<void> {
  while (true) {
    await world.desk.exhausted();
    const taken = await world.desk.take("act");
    if (!taken.ok && taken.waitMs >= 60_000) return;
    world.nowMs += taken.ok ? 0 : taken.waitMs;
  }
}

const unchangedRule = {
  ...{ minReplicas: null, maxReplicas: null, idleThresholdSeconds: null, jobsPerReplica: null },
  ...{ scaleUpCooldown: null, scaleDownCooldown: null, paused: null },
};
const changeRule = (world: ScalingWorld, change: Partial<Record<keyof typeof unchangedRule, unknown>>) => {
  const given = { ...unchangedRule, ...change } as Parameters<typeof updateRule>[2];
  const { sql, params } = updateRule(key.userId, key.containerGroupId, given, world.nowMs);
  world.run(sql, params);
};
const openHolds = (world: ScalingWorld) => world.run("SELECT * FROM open_holds");

describe("what was certainly not done", () => {
  test("a 429 upwards: told as such, no cooldown follows, the next look asks again", async () => {
    const world = new ScalingWorld({ upCooldown: 600 });
    world.salad.run(1);
    world.jobs(4);
    world.salad.faultOf = (call) => (call === "setReplicas" ? { answer: tooMany } : undefined);
    await world.scaler.pass();
    expect(world.history).toEqual(["scale_up 1→null: SaladCloud takes no more requests just now (429)"]);
    expect(world.rule?.scaled_up).toBeNull();
    world.salad.faultOf = () => undefined;
    world.nowMs += 60_000;
    await world.scaler.pass();
    expect(world.salad.replicas).toBe(4);
  });

  test("a 429 downwards: idle nodes may claim again at once", async () => {
    const world = new ScalingWorld({ min: 1, downCooldown: 900 });
    world.salad.run(3);
    world.salad.faultOf = (call) => (call === "setReplicas" ? { answer: tooMany } : undefined);
    await world.scaler.pass();
    expect(world.rule?.scaled_down).toBeNull();
    world.jobs(1);
    expect(await world.claimAt("m1")).not.toBeNull();
  });

  test.each([
    ["upwards", { upCooldown: 600 }, 4, "readQuota", 2],
    ["downwards, before the list", { min: 1, downCooldown: 900 }, 0, "getGroup", 2],
    ["downwards, before the step", { min: 1, downCooldown: 900 }, 0, "listInstances", 1],
  ] as const)("a request that was never made, %s: no failure, no cooldown, no hold", async (...given) => {
    const [, rule, jobs, last, nth] = given;
    const world = new ScalingWorld(rule);
    world.salad.run(2);
    world.jobs(jobs);
    let seen = 0;
    world.salad.meanwhile = async (call) => {
      if (call === last && ++seen === nth) await spendBudget(world);
    };
    expect(await world.scaler.pass()).toMatchObject({ steps: 0, failed: 0, left: 1 });
    expect([world.salad.replicas, world.history]).toEqual([2, []]);
    expect([world.rule?.scaled_up, world.rule?.scaled_down]).toEqual([null, null]);
    expect(await world.engine.grantHold(key)).toBeNull();
  });
});

describe("an answer that was lost", () => {
  test("a look some seconds later lifts no hold: what was asked for may be under way", async () => {
    const world = new ScalingWorld({ min: 1, downCooldown: 900 });
    world.salad.run(3);
    world.salad.faultOf = (call) => (call === "setReplicas" ? { answer: unanswered } : undefined);
    await world.scaler.pass();
    world.salad.faultOf = () => undefined;
    world.nowMs += 20_000;
    await world.scaler.evaluate(key, false);
    world.jobs(1);
    expect(await world.claimAt("m1")).toBeNull();
    // Now it comes about: nobody whom it takes has a job.
    await world.salad.setReplicas({}, 1);
    world.nowMs += 10_000;
    await world.scaler.evaluate(key, false);
    expect(await world.claimAt("m1")).toBeNull();
    expect(await world.claimAt("m3")).not.toBeNull();
  });

  test("a request that waited for its turn at Salad's API may come about as long after that", async () => {
    const world = new ScalingWorld({ min: 1, downCooldown: 900 });
    world.salad.run(3);
    world.salad.meanwhile = (call) => {
      if (call === "setReplicas") world.nowMs += 25_000;
    };
    world.salad.faultOf = (call) => (call === "setReplicas" ? { answer: unanswered } : undefined);
    await world.scaler.pass();
    world.salad.meanwhile = () => {};
    world.salad.faultOf = () => undefined;
    world.nowMs += 29_000;
    await world.scaler.evaluate(key, false);
    world.jobs(1);
    expect(await world.claimAt("m1")).toBeNull();
  });

  test("nor does another decision ask for anything meanwhile, whatever has become of the rule", async () => {
    const world = new ScalingWorld();
    world.salad.run(3);
    world.jobs(7);
    world.salad.faultOf = (call) => (call === "setReplicas" ? { answer: unanswered } : undefined);
    await world.scaler.pass();
    world.salad.faultOf = () => undefined;
    world.run("DELETE FROM scaling_rules");
    world.addRule({ max: 5 });
    world.nowMs += 29_000;
    expect(await world.scaler.evaluate(key, false)).toMatchObject({ action: "none" });
    // The first one comes about: to go from 7 to 5 is a step down, with all that it takes.
    await world.salad.setReplicas({}, 7);
    world.nowMs += 1_000;
    await world.scaler.evaluate(key, false);
    expect(world.history.at(-1)).toBe("scale_down 7→5");
  });

  test("nor if whoever has asked fails before he could see what became of it", async () => {
    const world = new ScalingWorld();
    world.salad.run(3);
    world.jobs(7);
    world.salad.faultOf = (call) => (call === "setReplicas" ? { answer: unanswered } : undefined);
    world.ports.budget = {
      take: async (what) => {
        if (world.salad.calls.at(-1)?.startsWith("setReplicas")) throw new Error("the desk was reset");
        return await world.desk.take(what);
      },
      exhausted: () => world.desk.exhausted(),
    };
    expect(await world.scaler.pass()).toMatchObject({ failed: 1 });
    world.ports.budget = world.desk;
    world.salad.faultOf = () => undefined;
    world.run("UPDATE scaling_rules SET max_replicas = 5");
    world.nowMs += 29_000;
    expect(await world.scaler.evaluate(key, false)).toMatchObject({ action: "none" });
    world.nowMs += 1_000;
    expect(await world.scaler.evaluate(key, false)).toMatchObject({ action: "scale_up", replicasAfter: 5 });
  });

  test("a step that Salad has taken but not shown lifts no hold when more is asked for right after it", async () => {
    const world = new ScalingWorld({ min: 1 });
    world.salad.run(3);
    world.salad.choosesAtOnce = false;
    await world.scaler.pass();
    world.jobs(3);
    world.nowMs += 5_000;
    await world.scaler.evaluate(key, false);
    expect(world.history).toEqual(["scale_down 3→1", "scale_up 1→3"]);
    // Salad had chosen two of them before it was asked for more.
    expect(await world.claimAt("m1")).toBeNull();
    world.nowMs += 30_000;
    await world.scaler.pass();
    expect(await world.claimAt("m1")).not.toBeNull();
  });

  test("one that was never carried out is given up after half a minute", async () => {
    const world = new ScalingWorld({ min: 1, downCooldown: 900 });
    world.salad.run(3);
    world.salad.faultOf = (call) => (call === "setReplicas" ? { answer: unanswered } : undefined);
    await world.scaler.pass();
    world.salad.faultOf = () => undefined;
    world.nowMs += 30_000;
    await world.scaler.pass();
    world.jobs(1);
    expect(await world.claimAt("m1")).not.toBeNull();
  });

  test.each([
    ["the list of instances is not to be had", "listInstances"],
    ["neither the stop nor what became of it is answered", "getGroup"],
  ] as const)(
    "of a stop, %s: those of the next start claim, those who were there do not",
    async (_name, deaf) => {
      const world = new ScalingWorld();
      world.salad.run(2);
      // A stop takes minutes to spread: its instances are listed as running.
      world.salad.choosesAtOnce = false;
      let isAsked = false;
      world.salad.faultOf = (call) => {
        if (call === "stopGroup") {
          isAsked = true;
          return { answer: unanswered, applied: true };
        }
        return isAsked && call === deaf ? { answer: unanswered } : undefined;
      };
      await world.scaler.pass();
      expect(world.salad.state).toBe("stopped");
      world.salad.faultOf = () => undefined;
      world.jobs(2);
      world.nowMs += 30_000;
      await world.scaler.submitted(key);
      expect(world.salad.state).toBe("deploying");
      expect([await world.claimAt("m1"), await world.claimAt("m2")]).toEqual([null, null]);
      expect(await world.claimAt("m8", "i8")).not.toBeNull();
    },
  );

  test("of a start that somebody made by hand after such a stop too", async () => {
    const world = new ScalingWorld();
    world.salad.run(2);
    world.salad.faultOf = (call) =>
      call === "listInstances" && stops() ? { answer: unanswered } : undefined;
    const stops = () => world.salad.calls.includes("stopGroup");
    await world.scaler.pass();
    expect(world.salad.state).toBe("stopped");
    world.salad.state = "running";
    world.jobs(1);
    expect(await world.claimAt("m1")).toBeNull();
    expect(await world.claimAt("m9", "i9")).not.toBeNull();
  });
});

describe("a rule that changes while instances are going", () => {
  const going = async () => {
    const world = new ScalingWorld({ min: 1, downCooldown: 900 });
    world.salad.run(3);
    world.salad.choosesAtOnce = false;
    await world.scaler.pass();
    expect(world.salad.replicas).toBe(1);
    world.jobs(3);
    expect(await world.claimAt("m3")).toBeNull();
    world.salad.choose();
    return world;
  };
  const change: [string, (world: ScalingWorld) => void][] = [
    ["paused", (world) => changeRule(world, { paused: true })],
    ["removed", (world) => world.run("DELETE FROM scaling_rules")],
    [
      "made anew",
      (world) => {
        world.run("DELETE FROM scaling_rules");
        world.addRule({ min: 0 });
      },
    ],
  ];
  test.each(change)("%s: the next pass lets those claim who stay, and only those", async (_name, make) => {
    const world = await going();
    make(world);
    world.nowMs += 60_000;
    await world.scaler.pass();
    expect([await world.claimAt("m1"), await world.claimAt("m2")]).toEqual([null, null]);
    expect(await world.claimAt("m3")).not.toBeNull();
    // What is over is forgotten.
    await world.scaler.pass();
    expect(openHolds(world)).toEqual([]);
    const before = world.salad.calls.length;
    world.run("DELETE FROM scaling_rules");
    await world.scaler.pass();
    expect(world.salad.calls).toHaveLength(before);
  });

  test("a quota that leaves too few keeps nobody from claiming who stays", async () => {
    const world = await going();
    world.salad.quota = { replicas: 1, usedByOthers: 0 };
    world.nowMs += 60_000;
    await world.scaler.pass();
    expect(world.history.at(-1)).toMatch(/^none 1→null: the organization's quota/);
    expect(await world.claimAt("m3")).not.toBeNull();
  });

  test("nobody is asked about a group that is another's by now", async () => {
    const world = await going();
    world.run("DELETE FROM scaling_rules");
    world.salad.id = "another";
    await world.scaler.pass();
    expect(await world.claimAt("m3")).toBeNull();
    world.nowMs += 16 * 60_000;
    expect(await world.claimAt("m3")).not.toBeNull();
    await world.scaler.pass();
    expect(openHolds(world)).toEqual([]);
  });

  test("two changes in one millisecond: a step decided on between them is not made", async () => {
    const world = new ScalingWorld();
    world.salad.run(1);
    world.jobs(4);
    changeRule(world, { maxReplicas: 5 });
    let looks = 0;
    world.salad.meanwhile = (call) => {
      if (call === "readQuota" && ++looks === 2) changeRule(world, { maxReplicas: 1 });
    };
    world.ports.sleep = async () => {};
    await world.scaler.pass();
    expect([world.salad.replicas, world.history]).toEqual([1, []]);
  });
});

test("a failure is the history's last word no longer than five minutes after it is over", async () => {
  const world = new ScalingWorld();
  Object.assign(world.salad, { state: "stopped" });
  // It fails every other minute: told once.
  let asked = 0;
  world.salad.faultOf = (call) =>
    call === "getGroup" && asked++ % 2 === 0 ? { answer: status(403, "refused", "no") } : undefined;
  const minutes = async (count: number) => {
    for (let minute = 0; minute < count; minute++) {
      await world.scaler.pass();
      world.nowMs += 60_000;
    }
  };
  await minutes(4);
  expect(world.history).toHaveLength(1);
  world.salad.faultOf = () => undefined;
  await minutes(5);
  const reasons = world.run("SELECT error, reason FROM scaling_events ORDER BY seq");
  expect(reasons).toMatchObject([
    { error: expect.stringContaining("does not reach it: no") },
    { error: null, reason: expect.stringMatching(/^goes well again: 0 pending/) },
  ]);
  await minutes(9);
  expect(world.history).toHaveLength(2);
});

test("a turn that cannot be given back ends by itself, and hides nothing of what was done", async () => {
  const world = new ScalingWorld();
  world.salad.run(1);
  world.jobs(3);
  const { endTurn } = world.desk;
  world.desk.endTurn = () => Promise.reject(new Error("the desk is away"));
  expect(await world.scaler.evaluate(key, false)).toMatchObject({ action: "scale_up", replicasAfter: 3 });
  expect(world.log.map(({ detail }) => detail)).toContainEqual(expect.stringContaining("the desk is away"));
  world.desk.endTurn = endTurn;
  world.jobs(1);
  expect(await world.scaler.evaluate(key, false)).toMatchObject({ action: "none" });
  world.nowMs += 120_000;
  expect(await world.scaler.evaluate(key, false)).toMatchObject({ action: "scale_up", replicasAfter: 4 });
});

describe("a 404", () => {
  test.each([
    [
      "where the key reaches no such organization",
      notFound,
      /SaladCloud knows no such thing, or none that SALAD_API_KEY reaches/,
    ],
    ["while the list is not to be had", unanswered, /gave no answer/],
  ])("%s removes no rule", async (_name, answer, told) => {
    const world = new ScalingWorld();
    world.salad.faultOf = (call) =>
      call === "getGroup" ? { answer: notFound } : call === "listGroups" ? { answer } : undefined;
    await world.scaler.pass();
    expect(world.rule).toBeDefined();
    expect(world.history).toEqual([expect.stringMatching(told)]);
  });

  test("for a group that the list has removes no rule", async () => {
    const world = new ScalingWorld();
    world.salad.faultOf = (call) => (call === "getGroup" ? { answer: notFound } : undefined);
    await world.scaler.pass();
    expect(world.rule).toBeDefined();
    expect(world.history).toEqual([expect.stringContaining("a 404 for a container group that it lists")]);
  });
});

test("failures that take turns are told once an hour each, and again after something went well", async () => {
  const world = new ScalingWorld({ downCooldown: 0 });
  world.salad.run(1);
  const answers = [status(400, "rejected", "one"), status(400, "rejected", "another")];
  let failures = 0;
  world.salad.faultOf = (call) =>
    call === "setReplicas" ? { answer: answers[failures++ % 2] ?? unanswered } : undefined;
  world.jobs(3);
  for (let minute = 0; minute < 20; minute++) {
    await world.scaler.pass();
    world.nowMs += 60_000;
  }
  const told = ["scale_up 1→null: SaladCloud refused: one", "scale_up 1→null: SaladCloud refused: another"];
  expect([failures, world.history]).toEqual([20, told]);
  world.salad.faultOf = () => undefined;
  await world.scaler.pass();
  world.jobs(1);
  world.salad.faultOf = (call) => (call === "setReplicas" ? { answer: answers[0] ?? unanswered } : undefined);
  await world.scaler.pass();
  expect(world.history).toEqual([...told, "scale_up 1→3", "scale_up 3→null: SaladCloud refused: one"]);
});

test("a person who asks without end leaves the minute's looks their requests", async () => {
  const world = new ScalingWorld();
  Object.assign(world.salad, { state: "stopped" });
  let asked = 0;
  world.ports.sleep = async () => {
    throw new Error("it would wait");
  };
  await expect(
    (async () => {
      for (;;) {
        await world.scaler.evaluate(key, true);
        asked++;
      }
    })(),
  ).rejects.toThrow("it would wait");
  expect(asked).toBe(20);
  let looks = 0;
  while ((await world.desk.take("look")).ok) looks++;
  expect(looks).toBe(15);
});

test("what was done is in the log where it cannot be recorded: a step, a rule that goes, an exchange", async () => {
  const told = async (prepare: (world: ScalingWorld) => void) => {
    const world = new ScalingWorld({ min: 1 });
    world.salad.run(1);
    prepare(world);
    world.faultOf = (statements) =>
      writes(statements, "INSERT INTO scaling_events") ? "refused" : undefined;
    expect(await world.scaler.pass()).toMatchObject({ failed: 1 });
    expect(world.history).toEqual([]);
    const steps = world.log.filter(({ event }) => event === "scaling_step");
    return steps.map(({ detail }) => JSON.parse(detail).action);
  };
  expect(await told((world) => world.jobs(3))).toEqual(["scale_up"]);
  expect(await told((world) => Object.assign(world.salad, { exists: false }))).toEqual(["remove_rule"]);
  expect(
    await told((world) => {
      const badMachines = async () => [{ machineId: "m1", reason: "fails what goes well elsewhere" }];
      Object.assign(world.engine, { badMachines });
    }),
  ).toEqual(["reallocate"]);
});

test("a start that no request is left for is no failure, and begins no cooldown", async () => {
  const world = new ScalingWorld({ upCooldown: 600 });
  Object.assign(world.salad, { state: "stopped", replicas: 9 });
  world.jobs(2);
  world.salad.meanwhile = (call) => (call === "setReplicas" ? spendBudget(world) : undefined);
  expect(await world.scaler.pass()).toMatchObject({ failed: 0, left: 1 });
  expect([world.history, world.rule?.scaled_up]).toEqual([[], null]);
});

test("persons whom there is no request for ask the budget twice at most: thousands of them are no load on the one desk of all", async () => {
  const world = new ScalingWorld();
  const asked: string[] = [];
  world.ports.budget = {
    take: async (what) => {
      asked.push(what);
      return { ok: false, waitMs: 300 };
    },
    exhausted: async () => {},
  };
  expect(await world.scaler.evaluate(key, true)).toMatchObject({ action: "none", trouble: "untried" });
  expect(asked).toEqual(["ask", "ask"]);
});
