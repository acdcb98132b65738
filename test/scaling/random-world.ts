/**
 * The shipped autoscaler and the very engine of a group in virtual time, with a SaladCloud, agents and a D1 on which nothing can be relied. One
 * number draws everything.
 */
import { clearRules, insertRule } from "../../src/db/scaling/rules.ts";
import type { Statement } from "../../src/db/statement.ts";
import { key } from "../engine/world.ts";
import { insertJob } from "../simulation/actors/insert-job.ts";
import { Verdict } from "../simulation/judge/verdict.ts";
import { minute, type Scenario, scenarios } from "../simulation/scenario.ts";
import { SimulatedD1 } from "../simulation/world/d1.ts";
import { type D1Fault, Faults, slowestD1Ms } from "../simulation/world/faults.ts";
import { GroupObject } from "../simulation/world/group-object.ts";
import { Random } from "../simulation/world/random.ts";
import { Schedule } from "../simulation/world/schedule.ts";
import { sweepEachMinute } from "../simulation/world/sweep.ts";
import { LocalDesk } from "./local-desk.ts";
import { RandomAgents } from "./random-agents.ts";
import { Decider, type Errand } from "./random-decider.ts";
import { RandomLine } from "./random-line.ts";
import { RandomSalad } from "./random-salad.ts";
import { RulesOfScaling } from "./rules-of-scaling.ts";

const startMs = 1_700_000_000_000;

/** A statement of the autoscaler's that comes about minutes after its caller was told that it failed is not modelled: it is lost instead. */
class ScalingFaults extends Faults {
  /** D1 answers, and lets wait for it. */
  d1SlowUntilMs = 0;
  readonly #slow: Random;
  readonly #clockMs: () => number;

  constructor(scenario: Scenario, random: Random, nowMs: () => number) {
    super(scenario, random, nowMs);
    this.#slow = random.fork();
    this.#clockMs = nowMs;
  }

  override ofD1(writes: boolean): D1Fault {
    const fault = super.ofD1(writes);
    if (this.on && fault.kind === null && this.#clockMs() < this.d1SlowUntilMs) {
      const [thereMs, backMs] = [0, 0].map(() => this.#slow.logBetween(50, slowestD1Ms / 2)) as [
        number,
        number,
      ];
      return { ...fault, kind: "slow", thereMs, backMs };
    }
    return fault.kind === "late" ? { ...fault, kind: "answer-lost" } : fault;
  }
}

export class RandomWorld {
  readonly random: Random;
  readonly schedule = new Schedule(startMs);
  readonly verdict: Verdict;
  readonly rules: RulesOfScaling;
  readonly faults: ScalingFaults;
  readonly d1: SimulatedD1;
  readonly object: GroupObject;
  readonly salad: RandomSalad;
  readonly line: RandomLine;
  readonly agents: RandomAgents;
  readonly desk = new LocalDesk(() => Math.floor(this.schedule.nowMs));
  readonly deciders: Decider[] = [];
  /** The cron does not come before. */
  cronFromMs = 0;
  #serial = 0;

  constructor(seed: number, tell: (line: string) => void) {
    const random = new Random(seed);
    this.random = random;
    const { schedule } = this;
    this.verdict = new Verdict(() => schedule.nowMs, tell);
    const rules = new RulesOfScaling(this.verdict, () => Math.floor(schedule.nowMs));
    this.rules = rules;
    const d1FaultShare = random.pick([0, 0.02, 0.08]);
    const scenario = { ...scenarios.hostile, d1FaultShare, alarmFaultShare: random.pick([0, 0.05]) };
    this.faults = new ScalingFaults(scenario, random.fork(), () => schedule.nowMs);
    const threw = (error: unknown) => rules.note(`the group's object threw: ${error}`);
    this.d1 = new SimulatedD1(schedule, this.faults, {
      asked: () => undefined,
      willLandLate: () => undefined,
      meetsSuccessor: () => false,
      sent: () => undefined,
      landed: () => undefined,
      applied: () => undefined,
      broke: (error) => this.verdict.require("SQLite takes each statement", null, false, () => String(error)),
    });
    this.object = new GroupObject({
      ...{ schedule, faults: this.faults, random: random.fork(), d1: this.d1 },
      watcher: {
        storageIsNew: (storage) => rules.watchStorage(storage),
        crashed: () => rules.note("the object dies"),
        alarmRang: () => undefined,
        event: ({ event, jobId, detail }) =>
          rules.note(`the object logs ${event} ${jobId ?? ""} ${detail ?? ""}`),
      },
      agents: {
        wake: (count) => this.agents.wake(count),
        ended: () => undefined,
        reallocate: () => undefined,
      },
    });
    const tellsCosts = random.chance(0.85);
    this.salad = new RandomSalad(schedule, random.fork(), tellsCosts, {
      runs: (instance) => this.agents.start(instance),
      chosen: (instance, by) => rules.chosen(instance, by),
      gone: (instance) => this.agents.end(instance),
      note: (text) => rules.note(text),
    });
    this.line = new RandomLine(schedule, random.fork(), this.salad, (text) => rules.note(text));
    this.line.lookFaultShare = random.pick([0, 0.03, 0.15]);
    this.line.changeFaultShare = random.pick([0, 0.1, 0.4, 0.7]);
    const tellings = random.chance(0.6)
      ? (["prompt"] as const)
      : (["prompt", "prompt", "late", "never"] as const);
    const { object, salad } = this;
    this.agents = new RandomAgents({
      ...{
        schedule,
        object,
        salad,
        tellings,
        threw,
        random: random.fork(),
        note: (text) => rules.note(text),
      },
    });
    const { agents, d1 } = this;
    rules.watch({ salad, agents, d1: d1.database, storage: () => object.storage });
    // Its storage is looked at from the first moment.
    object.call(
      async () => null,
      () => undefined,
      threw,
    );
    sweepEachMinute({ schedule, faults: this.faults, random: random.fork(), d1, object }, key);
    this.#cronEachMinute();
  }

  get nowMs(): number {
    return Math.floor(this.schedule.nowMs);
  }

  /** Everything that is due until then happens, or less if an invariant breaks. */
  async pass(ms: number): Promise<void> {
    await this.schedule.runUntil(this.schedule.nowMs + ms, () => this.verdict.violation !== null);
  }

  decide(errand: Errand): Decider {
    const { schedule, random, d1, object, line, desk, rules } = this;
    const watcher = rules;
    const world = { schedule, random, d1, object, line, desk, watcher };
    const decider = new Decider(world, ++this.#serial, errand);
    this.deciders.push(decider);
    decider.run();
    return decider;
  }

  submit(count: number): void {
    for (let n = 0; n < count; n++) {
      const heartbeatInterval = this.random.pick([30, 60]);
      insertJob(this.d1, key, `job-${++this.#serial}`, {
        created: this.nowMs,
        heartbeat_interval: heartbeatInterval,
      });
    }
    this.schedule.touched = true;
    this.object.call(
      (engine) => engine.jobsAdded(key, 0, count),
      (answer) => {
        if (answer?.unattended) this.decide("submitted");
      },
      (error) => this.rules.note(`jobsAdded threw: ${error}`),
    );
  }

  /** As a person's call of the API. */
  run(...statements: Statement[]): void {
    this.rules.byPerson(() => this.d1.apply(statements));
  }

  makeRule(rule: {
    min: number;
    max: number;
    jobsPerReplica: number;
    idle: number;
    up: number;
    down: number;
  }): void {
    const made = insertRule({
      ...key,
      ...{ orgName: "acme", projectName: "default", containerGroupName: "trainers" },
      ...{ minReplicas: rule.min, maxReplicas: rule.max, jobsPerReplica: rule.jobsPerReplica },
      ...{ idleThresholdSeconds: rule.idle, scaleUpCooldown: rule.up, scaleDownCooldown: rule.down },
      ...{ paused: false, created: this.nowMs },
    });
    this.run(clearRules(), made);
  }

  #cronEachMinute(): void {
    this.schedule.after(minute, () => {
      this.#cronEachMinute();
      if (this.schedule.nowMs >= this.cronFromMs) this.decide("pass");
    });
  }
}
