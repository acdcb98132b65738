/** One pass over many rules: none waits for another, none is left for ever, and Salad is never asked more than it takes. */
import { expect, test } from "vitest";
import { insertRule } from "../../src/db/scaling/rules.ts";
import { newBudget, refuseRequest, takeRequest } from "../../src/domain/request-budget.ts";
import type { SaladPlace } from "../../src/salad/client.ts";
import { unanswered } from "./salad.ts";
import { ScalingWorld } from "./world.ts";

function worldOf(rules: number): ScalingWorld {
  const world = new ScalingWorld();
  world.run("DELETE FROM scaling_rules");
  for (let n = 0; n < rules; n++) {
    const { sql, params } = insertRule({
      userId: "user-1",
      containerGroupId: `group-${n}`,
      orgName: "acme",
      projectName: "default",
      containerGroupName: `g-${n}`,
      ...{ minReplicas: 0, maxReplicas: 5, idleThresholdSeconds: 0, jobsPerReplica: 1 },
      ...{ scaleUpCooldown: 0, scaleDownCooldown: 0, paused: false, created: 0 },
    });
    world.run(sql, params);
  }
  return world;
}

/** At rest, each of them; `asked` hears who is looked at. */
function atRest(world: ScalingWorld, asked: (name: string) => void = () => {}): void {
  world.ports.salad = Object.assign(Object.create(world.salad), {
    getGroup: async ({ group }: SaladPlace) => {
      asked(group);
      const id = group.replace("g-", "group-");
      return { ok: true, value: { id, name: group, replicas: 0, status: "stopped", instances: null } };
    },
  });
}

test("an idle pass: three statements for all rules, one request for each, and nothing is written", async () => {
  const world = worldOf(30);
  let asked = 0;
  atRest(world, () => asked++);
  const before = world.statements;
  expect(await world.scaler.pass()).toEqual({ rules: 30, steps: 0, failed: 0, left: 0 });
  expect([world.statements - before, asked, world.history]).toEqual([3, 30, []]);
});

test("a rule whose group hangs holds up one lane of four; what fails fails alone", async () => {
  const world = worldOf(20);
  const seen = new Set<string>();
  const hanging = Promise.withResolvers<void>();
  atRest(world, (name) => seen.add(name));
  const { getGroup } = world.ports.salad as NonNullable<typeof world.ports.salad>;
  Object.assign(world.ports.salad ?? {}, {
    getGroup: async (place: SaladPlace) => {
      const answer = await getGroup(place);
      if (place.group === "g-3") await hanging.promise;
      if (place.group === "g-5") throw new Error("a bug");
      return answer;
    },
  });
  const pass = world.scaler.pass();
  while (seen.size < 20) await Promise.resolve();
  hanging.resolve();
  expect(await pass).toEqual({ rules: 20, steps: 0, failed: 1, left: 0 });
  expect(world.log.map(({ event }) => event)).toEqual(["scaling_failed", "scaling_pass"]);
});

test("an API that answers nobody is asked a few times, not for every rule", async () => {
  const world = worldOf(40);
  let asked = 0;
  world.ports.salad = Object.assign(Object.create(world.salad), {
    getGroup: async () => {
      asked++;
      return unanswered;
    },
  });
  const { failed, left } = await world.scaler.pass();
  expect(asked).toBeLessThan(15);
  expect([failed, left]).toEqual([asked, 40 - asked]);
});

test("more rules than requests: each minute no more than Salad takes, and everybody's turn comes", async () => {
  const world = worldOf(450);
  const times: number[] = [];
  const seen = new Map<string, number>();
  atRest(world, (name) => {
    times.push(world.nowMs);
    seen.set(name, (seen.get(name) ?? 0) + 1);
  });
  for (let minute = 0; minute < 12; minute++) {
    const startMs = world.nowMs;
    const { left, failed } = await world.scaler.pass();
    expect([left > 0, failed]).toEqual([true, 0]);
    world.nowMs = Math.max(world.nowMs, startMs + 60_000);
  }
  for (const [at, timeMs] of times.entries()) {
    const inMinute = times.slice(at).filter((other) => other < timeMs + 60_000).length;
    expect(inMinute).toBeLessThanOrEqual(230);
  }
  expect(seen.size).toBe(450);
  // Nothing that was not tried is called a failure.
  expect(world.history).toEqual([]);
});

test.each([149, 501, 700])(
  "%i rules: none is left out for ever, nor looked at much oftener",
  async (rules) => {
    const world = worldOf(rules);
    const seen = new Map<string, number>();
    atRest(world, (name) => seen.set(name, (seen.get(name) ?? 0) + 1));
    // Salad's API is slow: some ten rules in a pass.
    const { getGroup } = world.ports.salad as NonNullable<typeof world.ports.salad>;
    Object.assign(world.ports.salad ?? {}, {
      getGroup: async (place: SaladPlace) => {
        world.nowMs += 1_000;
        return await getGroup(place);
      },
    });
    for (let minute = 0; minute < rules / 10; minute++) {
      await world.scaler.pass();
      world.nowMs += 15_000;
    }
    const times = [...seen.values()];
    expect(seen.size).toBe(rules);
    expect(Math.max(...times) - Math.min(...times)).toBeLessThanOrEqual(1);
  },
);

test("a paused rule is not looked at", async () => {
  const world = worldOf(3);
  world.run("UPDATE scaling_rules SET paused = 1 WHERE container_group_id = 'group-1'");
  const seen: string[] = [];
  atRest(world, (name) => seen.push(name));
  await world.scaler.pass();
  expect(seen.sort()).toEqual(["g-0", "g-2"]);
});

test("the budget keeps some for what has begun, fills steadily, and rests when it is told to", () => {
  let budget = newBudget(0);
  let looks = 0;
  for (;;) {
    const taken = takeRequest(budget, "look", 0);
    if (!taken.ok) break;
    budget = taken.budget;
    looks++;
  }
  expect(looks).toBe(35);
  expect(takeRequest(budget, "act", 0).ok).toBe(true);
  expect(takeRequest(budget, "look", 300)).toMatchObject({ ok: false });
  expect(takeRequest(budget, "look", 400)).toMatchObject({ ok: true });
  const resting = refuseRequest(refuseRequest(budget, 1_000), 1_001);
  expect(takeRequest(resting, "act", 5_999)).toEqual({ ok: false, waitMs: 1 });
  // Full again only as time passes: a rest is no reason to hurry.
  expect(takeRequest(resting, "act", 6_000)).toMatchObject({ ok: false });
  expect(takeRequest(resting, "act", 6_400)).toMatchObject({ ok: true });
});
