/**
 * One simulated run: the shipped engine and SQL, agents and people around them, faults at every await, a judge. Everything
 * follows from the seed: the same seed is the same run, to the last event.
 */
import { Fleet } from "./actors/fleet.ts";
import { Pauser } from "./actors/pauser.ts";
import { People } from "./actors/people.ts";
import { type Assembled, assemble } from "./assemble.ts";
import { everythingEnded } from "./judge/final-rules.ts";
import { patienceMs } from "./judge/object-rules.ts";
import { Verdict, type Violation } from "./judge/verdict.ts";
import { hour, minute, type ScenarioName, scenarioOf, scenarios, second } from "./scenario.ts";
import { misfortunesOfTheApi, rotEachSoOften } from "./world/misfortunes.ts";
import { Random } from "./world/random.ts";
import { Schedule } from "./world/schedule.ts";

const startMs = 1_700_000_000_000;
const key = { userId: "00000000-0000-4000-9000-000000000001", containerGroupId: "group-1" };
/** After the last fault: late writes land, bans and cool-downs aside everything gets its turn. */
const longestDrainMs = 12 * hour;

/** After the last job ended: the grace of leftovers and garbage, and the sweep's passes. */
const cleaningMs = 30 * minute;

export interface Options {
  seed: number;
  /** Node-hours under fire; the drain comes on top. */
  hours: number;
  scenario?: ScenarioName;
  tell?: (line: string) => void;
}

export interface Report {
  seed: number;
  scenario: ScenarioName;
  violation: Violation | null;
  digest: string;
  nodeHours: number;
  virtualHours: number;
  jobs: number;
  ends: Map<string, number>;
  attempts: number;
  interruptions: number;
  /** Generations of snapshots. */
  commits: number;
  faults: Map<string, number>;
  refusals: Map<string, number>;
  checks: Map<string, number>;
  d1Statements: number;
  objectLives: number;
  events: number;
}

export async function simulate(options: Options): Promise<Report> {
  const name = options.scenario ?? scenarioOf(options.seed);
  const scenario = scenarios[name];
  const random = new Random(options.seed);
  const schedule = new Schedule(startMs);
  const verdict = new Verdict(() => schedule.nowMs, options.tell);
  let fleet: Fleet | undefined;
  // A chance of its own: runs without managed storage are the same with and without it.
  const bucketRandom = new Random(options.seed + 1_000_000);
  const agents = {
    wake: (count: number) => fleet?.wake(count),
    ended: () => undefined,
    reallocate: (machineId: string) => world.surroundings.judge.toldToGo(machineId),
  };
  const world: Assembled = assemble({ key, scenario, schedule, verdict, random, bucketRandom, agents });
  const { d1, halted, object, surroundings } = world;
  const { bucket, faults, judge, worker } = surroundings;
  const people = new People(surroundings, d1);
  const pauser = Number.isFinite(scenario.pauseEveryMs)
    ? new Pauser(surroundings, d1, new Random(options.seed + 2_000_000))
    : null;
  fleet = new Fleet(surroundings);
  const machines = fleet;
  world.sweep();
  if (scenario.managedShare > 0) {
    worker.sweepEachMinute();
    rotEachSoOften({ schedule, faults, random: bucketRandom, bucket, scenario });
  }
  misfortunesOfTheApi({ schedule, faults, random: random.fork(), object, judge, scenario }, () =>
    machines.wakeAll(),
  );

  // A row that nobody renews is only looked at again when its holder does: after an interval, or two if one gets lost.
  const ownPatienceMs = patienceMs + 2 * Math.max(...scenario.intervals) * second;
  while (machines.nodeHours < options.hours && !verdict.violation) {
    await world.passMinute(ownPatienceMs);
  }
  const nodeHours = machines.nodeHours;
  if (!verdict.violation) {
    if (random.chance(0.3)) people.clearAtTheEnd();
    faults.on = false;
    faults.outageUntilMs = 0;
    faults.d1DownUntilMs = 0;
    pauser?.resumeAtTheEnd();
    machines.recover();
    const drainUntilMs = schedule.nowMs + longestDrainMs;
    // Late writes may land long after the last job ended.
    const leastUntilMs = schedule.nowMs + 30 * minute;
    while (schedule.nowMs < drainUntilMs && !verdict.violation) {
      await world.passMinute(ownPatienceMs);
      if (schedule.nowMs >= leastUntilMs && judge.book.open().length === 0 && judge.book.rows.size === 0)
        break;
    }
    if (!verdict.violation) everythingEnded(judge.book, verdict, object.alarmMs, d1.database);
    if (!verdict.violation && scenario.managedShare > 0) {
      await schedule.runUntil(schedule.nowMs + cleaningMs, halted);
      judge.storage.nothingIsLeft();
    }
  }
  machines.stop();

  const { book } = judge;
  const ends = new Map<string, number>();
  let attempts = 0;
  let interruptions = 0;
  for (const job of book.jobs.values()) {
    const end = job.gone ? "removed" : job.status;
    ends.set(end, (ends.get(end) ?? 0) + 1);
    attempts += job.attempts.size;
    for (const attempt of job.attempts.values()) if (attempt.end === "interrupted") interruptions++;
  }
  d1.database.close();
  return {
    seed: options.seed,
    scenario: name,
    violation: verdict.violation,
    digest: verdict.digest,
    nodeHours,
    virtualHours: (schedule.nowMs - startMs) / hour,
    jobs: book.jobs.size,
    ends,
    attempts,
    interruptions,
    commits: judge.storage.commits,
    faults: faults.counts,
    refusals: judge.refusals,
    checks: verdict.checks,
    d1Statements: d1.statements,
    objectLives: object.engineLives,
    events: schedule.events,
  };
}
