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
  addRules(world, "acme", rules);
  return world;
}

function addRules(world: ScalingWorld, organization: string, rules: number, from = 0): void {
  for (let n = from; n < from + rules; n++) {
    const { sql, params } = insertRule({
      userId: `user of ${organization}`,
      containerGroupId: `group-${n}`,
      orgName: organization,
      projectName: "default",
      containerGroupName: `g-${n}`,
      ...{ minReplicas: 0, maxReplicas: 5, idleThresholdSeconds: 0, jobsPerReplica: 1 },
      ...{ scaleUpCooldown: 0, scaleDownCooldown: 0, paused: false, created: 0 },
    });
    world.run(sql, params);
  }
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

/** Who is looked at in how many passes; `isAnswered` tells whether Salad answers for that organization and group. */
async function seenIn(
  passes: number,
  world: ScalingWorld,
  isAnswered: (organization: string, group: string) => boolean,
): Promise<Map<string, number>> {
  const seen = new Map<string, number>();
  atRest(world);
  const { getGroup } = world.ports.salad as NonNullable<typeof world.ports.salad>;
  Object.assign(world.ports.salad ?? {}, {
    getGroup: async (place: SaladPlace) => {
      seen.set(place.group, (seen.get(place.group) ?? 0) + 1);
      return isAnswered(place.organization, place.group) ? await getGroup(place) : unanswered;
    },
  });
  for (let pass = 0; pass < passes; pass++) {
    const startMs = world.nowMs;
    await world.scaler.pass();
    world.nowMs = startMs + 60_000;
  }
  return seen;
}

test("an organization without answers costs a few requests of a pass; the others' rules are all looked at", async () => {
  const world = worldOf(60);
  addRules(world, "zebra", 5, 60);
  const isAnswered = (organization: string) => organization === "zebra";
  const seen = await seenIn(1, world, isAnswered);
  const others = [60, 61, 62, 63, 64].map((n) => seen.get(`g-${n}`));
  expect(others).toEqual([1, 1, 1, 1, 1]);
  expect(seen.size).toBeLessThan(20);
  // Those that were left out come first in the next pass.
  expect((await seenIn(7, world, isAnswered)).size).toBe(65);
});

test("a few of an organization's groups without answers keep none of its others from being looked at", async () => {
  const world = worldOf(40);
  addRules(world, "zebra", 5, 40);
  const broken = new Set(Array.from({ length: 12 }, (_, n) => `g-${n + 5}`));
  const seen = await seenIn(4, world, (_organization, group) => !broken.has(group));
  expect(seen.size).toBe(45);
});

test("an API that answers no organization is asked a few times", async () => {
  const world = worldOf(1);
  for (let n = 1; n < 40; n++) addRules(world, `org-${n}`, 1, n);
  expect((await seenIn(1, world, () => false)).size).toBeLessThan(15);
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

test("a pass goes on after the last one's last rule, round to it, and looks at none twice", async () => {
  const world = worldOf(4);
  await world.desk.keepLastRule({ user_id: "user of acme", container_group_id: "group-1" });
  const seen: string[] = [];
  atRest(world, (name) => seen.push(name));
  expect(await world.scaler.pass()).toMatchObject({ rules: 4, left: 0 });
  expect(seen).toEqual(["g-2", "g-3", "g-0", "g-1"]);
});

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

test("whoever submits to all his groups again and again leaves the minute's looks, and other users, their requests", async () => {
  const world = worldOf(60);
  addRules(world, "zebra", 1, 60);
  const seen = new Map<string, number>();
  atRest(world, (name) => seen.set(name, (seen.get(name) ?? 0) + 1));
  // All of it within a minute, but for who waits for a request.
  world.ports.sleep = async (ms) => {
    if (ms < 2_000) world.nowMs += ms;
  };
  for (let round = 0; round < 3; round++) {
    for (let n = 0; n < 60; n++) {
      await world.scaler.submitted({ userId: "user of acme", containerGroupId: `group-${n}` });
    }
    world.nowMs += 20_000;
  }
  const looks = [...seen.values()].reduce((sum, count) => sum + count, 0);
  expect(looks).toBeGreaterThanOrEqual(20);
  expect(looks).toBeLessThanOrEqual(40);
  await world.scaler.submitted({ userId: "user of zebra", containerGroupId: "group-60" });
  expect(seen.get("g-60")).toBe(1);
});
