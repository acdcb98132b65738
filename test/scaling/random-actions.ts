/** What may happen in a random history, and how often: a table of the world's misfortunes and of what people do. */
import { deleteRule, updateRule } from "../../src/db/scaling/rules.ts";
import { key } from "../engine/world.ts";
import { minute, second } from "../simulation/scenario.ts";
import type { Random } from "../simulation/world/random.ts";
import type { RandomWorld } from "./random-world.ts";

/** Drawn by their weight. What it returns is told: what was done; null: there was nothing to do it to. */
export interface Action {
  weight: number;
  act(world: RandomWorld): string | null;
}

const unchanged = {
  ...{ minReplicas: null, maxReplicas: null, idleThresholdSeconds: null, jobsPerReplica: null },
  ...{ scaleUpCooldown: null, scaleDownCooldown: null, paused: null },
};

export const cooldownsSeconds = [0, 0, 60, 120] as const;

export function drawRule(random: Random) {
  return {
    min: random.pick([0, 0, 0, 1, 2]),
    max: random.int(2, 7),
    jobsPerReplica: random.pick([1, 1, 1, 2]),
    idle: random.pick([0, 0, 30]),
    up: random.pick(cooldownsSeconds),
    down: random.pick(cooldownsSeconds),
  };
}

const change = (world: RandomWorld, what: Partial<Parameters<typeof updateRule>[2]>): void =>
  world.run(updateRule(key.userId, key.containerGroupId, { ...unchanged, ...what }, world.nowMs));

const some = <T>(random: Random, items: readonly T[]): T | null =>
  items.length === 0 ? null : random.pick(items);

export const actions: readonly Action[] = [
  // Jobs and agents
  {
    weight: 14,
    act(world) {
      const count = world.random.int(1, 5);
      world.submit(count);
      return `${count} jobs are submitted`;
    },
  },
  {
    weight: 16,
    act({ random, agents }) {
      const busy = [...agents.all.values()].filter(({ lease }) => lease !== null);
      const count = random.int(1, Math.max(1, busy.length));
      const ending = busy.filter(() => random.chance(count / Math.max(1, busy.length)));
      for (const agent of ending) agent.finish();
      return ending.length === 0
        ? null
        : `jobs end on ${ending.map(({ instance }) => instance.id).join(", ")}`;
    },
  },
  {
    weight: 8,
    act({ agents }) {
      const busy = [...agents.all.values()].filter(({ lease }) => lease !== null);
      for (const agent of busy) agent.finish();
      return busy.length === 0 ? null : `all ${busy.length} jobs end that run`;
    },
  },
  {
    weight: 10,
    act({ agents }) {
      const idle = [...agents.all.values()].filter(({ isIdle }) => isIdle);
      for (const agent of idle) agent.poll();
      return idle.length === 0 ? null : `all ${idle.length} idle agents ask for a job`;
    },
  },
  {
    weight: 6,
    act({ random, salad }) {
      const instance = some(random, salad.instances);
      if (instance) salad.vanish(instance);
      return instance && `the node of ${instance.id} vanishes`;
    },
  },
  // Deciders
  { weight: 12, act: (world) => `${world.decide("pass").name} begins` },
  { weight: 8, act: (world) => `${world.decide("pass").name} and ${world.decide("pass").name} begin` },
  { weight: 4, act: (world) => `${world.decide("submitted").name} begins` },
  { weight: 4, act: (world) => `${world.decide("evaluate").name} begins` },
  { weight: 2, act: (world) => `${world.decide("dry run").name} begins` },
  {
    weight: 5,
    act({ random, deciders }) {
      const decider = some(
        random,
        deciders.filter(({ alive, ended }) => alive && !ended),
      );
      decider?.crash();
      return decider && `${decider.name} is killed`;
    },
  },
  {
    weight: 2,
    act(world) {
      world.cronFromMs = world.schedule.nowMs + world.random.logBetween(minute, 10 * minute);
      return "the cron stops for a while";
    },
  },
  {
    weight: 2,
    act({ desk, random, rules, schedule }) {
      const untilMs = schedule.nowMs + random.logBetween(second, 90 * second);
      const ask = () => {
        schedule.touched = true;
        void desk.take("look").then(({ ok }) => ok && rules.othersAsk());
      };
      const askOn = () => {
        ask();
        if (schedule.nowMs < untilMs) schedule.after(200, askOn);
      };
      for (let n = random.int(0, 60); n >= 0; n--) ask();
      askOn();
      return "the passes over other groups ask Salad for all that they may";
    },
  },
  // Faults
  {
    weight: 5,
    act({ object }) {
      object.crash();
      return "the object is restarted";
    },
  },
  {
    weight: 3,
    act({ faults, random, schedule }) {
      faults.d1DownUntilMs = schedule.nowMs + random.logBetween(5 * second, minute);
      return "D1 is down for a while";
    },
  },
  {
    weight: 4,
    act({ line, random }) {
      line.lookFaultShare = random.pick([0, 0, 0.05, 0.3, 0.7]);
      line.changeFaultShare = random.pick([0, 0.1, 0.4, 0.8]);
      return `of Salad's requests ${line.lookFaultShare * 100} % fail, of changes ${line.changeFaultShare * 100} %`;
    },
  },
  {
    weight: 3,
    act({ faults, line, random, schedule }) {
      line.isSlow = random.chance(0.6);
      faults.d1SlowUntilMs = schedule.nowMs + (line.isSlow ? random.logBetween(20 * second, 5 * minute) : 0);
      return line.isSlow ? "everything is slow" : "everything is quick";
    },
  },
  // People
  {
    weight: 3,
    act(world) {
      const paused = world.random.chance(0.5);
      change(world, { paused });
      return paused ? "the rule is paused" : "the rule is resumed";
    },
  },
  {
    weight: 6,
    act(world) {
      const { min, max, up, down } = drawRule(world.random);
      change(world, { minReplicas: min, maxReplicas: max, scaleUpCooldown: up, scaleDownCooldown: down });
      return `the rule is changed: ${min} to ${max}, cooldowns ${up} s up, ${down} s down`;
    },
  },
  {
    weight: 2,
    act(world) {
      world.run(deleteRule(key.userId, key.containerGroupId));
      return "the rule is deleted";
    },
  },
  {
    weight: 3,
    act(world) {
      const rule = drawRule(world.random);
      world.makeRule(rule);
      return `the rule is made anew: ${JSON.stringify(rule)}`;
    },
  },
  {
    weight: 2,
    act({ salad }) {
      if (salad.state === "stopped") return null;
      salad.byHand(() => {
        salad.state = "stopped";
      });
      return "a person stops the group";
    },
  },
  {
    weight: 2,
    act({ salad }) {
      if (salad.state !== "stopped") return null;
      salad.byHand(() => {
        salad.state = "deploying";
      });
      return "a person starts the group";
    },
  },
  {
    weight: 2,
    act({ salad, random }) {
      const replicas = random.int(0, 7);
      salad.byHand(() => {
        salad.replicas = replicas;
      });
      return `a person asks for ${replicas} replicas`;
    },
  },
  {
    weight: 2,
    act({ salad, random }) {
      salad.quota = { replicas: random.int(3, 12), usedByOthers: random.int(0, 3) };
      return `the quota is ${salad.quota.replicas}, others use ${salad.quota.usedByOthers}`;
    },
  },
];

const weights = actions.reduce((sum, { weight }) => sum + weight, 0);

export function drawAction(random: Random): Action {
  let left = random.between(0, weights);
  for (const action of actions) {
    left -= action.weight;
    if (left < 0) return action;
  }
  return actions[0] as Action;
}

/** What would hurt most while Salad takes instances away: there is work, and everybody asks for it. */
export const rush: Action = {
  weight: 0,
  act(world) {
    const count = world.random.int(1, 6);
    world.submit(count);
    for (const agent of world.agents.all.values()) agent.poll();
    return `${count} jobs are submitted, and all idle agents ask`;
  },
};

/** Until the next one: mostly in the middle of what is under way. */
export function drawGapMs(random: Random, isDeciding: boolean, isTense: boolean): number {
  if (isDeciding && random.chance(0.5)) return random.logBetween(2, 2 * second);
  if (isTense) return random.logBetween(200, 20 * second);
  const [low, high] = random.pick(gaps);
  return random.logBetween(low, high);
}

const gaps = [
  [10, 2 * second],
  [10, 2 * second],
  [10, 2 * second],
  [2 * second, 20 * second],
  [2 * second, 20 * second],
  [2 * second, 20 * second],
  [20 * second, 90 * second],
  [20 * second, 90 * second],
  [20 * second, 3 * minute],
  [20 * second, 20 * minute],
] as const;
