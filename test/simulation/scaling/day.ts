/**
 * A whole day in virtual time: bursts of jobs, nothing in between, on a SaladCloud that takes its time and loses machines. The queue is the shipped
 * engine under the simulation's judge; the autoscaler is the shipped one, or the original's policy on the very same day. The seed is everything.
 */
import { insertRule } from "../../../src/db/scaling/rules.ts";
import type { ScalingGroup } from "../../../src/scaling/ports.ts";
import { Scaler } from "../../../src/scaling/scaler.ts";
import { type Cloud, createCloud, saladRequestsPerMinute } from "../../salad/cloud.ts";
import { statusOf } from "../../salad/group-calls.ts";
import type { Hardware } from "../../salad/hardware.ts";
import { LocalDesk } from "../../scaling/local-desk.ts";
import { insertJob } from "../actors/insert-job.ts";
import { type Assembled, assemble } from "../assemble.ts";
import { everythingEnded } from "../judge/final-rules.ts";
import { patienceMs } from "../judge/object-rules.ts";
import { Verdict, type Violation } from "../judge/verdict.ts";
import { minute, scenarios, second } from "../scenario.ts";
import { Random } from "../world/random.ts";
import { Schedule } from "../world/schedule.ts";
import type { Churn } from "./churn.ts";
import { CloudFleet, type Losses } from "./cloud-fleet.ts";
import { type Burst, day, planDay } from "./day-plan.ts";
import { groupPort } from "./group-port.ts";
import { everyMs, scaleAsKelpie } from "./kelpie-policy.ts";
import { VirtualSaladPort } from "./salad-port.ts";
import { drawStartUp } from "./start-up.ts";

const startMs = 1_700_000_000_000;
const key = { userId: "00000000-0000-4000-9000-000000000001", containerGroupId: "group-1" };
const place = { organization: "acme", project: "default", group: "trainers" };
/** From the day's last burst, as between two. */
const longestMs = day.firstMs + day.jitterMs + day.everyMs;
/** Of the requests to Salad's API. */
const saladFaultShare = 0.01;
/** A message of the socket to an agent that waits; between the autoscaler and the group's object. */
const messageMs = 50;
const rpcMs = 5;
/** How long an instance that is to go still runs: a stop takes up to several minutes to spread. */
const stoppingMs: readonly [number, number] = [20 * second, 180 * second];

export type Policy = "shipped" | "kelpie";

export interface DayOptions {
  seed: number;
  churn: Churn;
  policy: Policy;
  /** Of the shipped autoscaler's rule, in seconds. (Default: the day's.) */
  scaleDownCooldown?: number | undefined;
  /** (Default: the whole day's.) */
  bursts?: number;
  tell?: ((line: string) => void) | undefined;
  /** Replaces the autoscaler's view of the group: for tests of the day itself. */
  bendGroup?: (group: ScalingGroup) => ScalingGroup;
}

export interface BurstReport {
  jobs: number;
  /** From the first submission until replicas were asked for, until as many as it needs were, and until a job ran. */
  firstAskedMs: number | null;
  askedMs: number | null;
  startedMs: number | null;
  /** Until the last one was done, latecomers included. */
  doneMs: number | null;
  /** Whether just before it nothing was left: no instance, the group stopped. */
  zeroBefore: boolean;
}

export interface DayReport {
  seed: number;
  policy: Policy;
  /** Of the shipped autoscaler's rule, in seconds. */
  scaleDownCooldown: number;
  jobs: number;
  done: number;
  /** Of all jobs, on machines of speed 1. */
  workMs: number;
  runningMs: number;
  /** Of what was billed, by its time. */
  meanSpeed: number;
  /** In the order in which they joined: the same for each policy, which may need more or fewer of them. */
  machines: Hardware[];
  allocatedMs: number;
  takenAway: Losses;
  interrupted: Losses;
  interruptions: number;
  zombies: number;
  saladRequests: number;
  mostRequestsPerMinute: number;
  saladTooMany: number;
  saladFailed: number;
  bursts: BurstReport[];
  mostReplicas: number;
  zeroAtEnd: boolean;
  /** Of the autoscaler's history. */
  actions: Map<string, number>;
  violation: Violation | null;
  digest: string;
}

export async function simulateDay(options: DayOptions): Promise<DayReport> {
  const { seed, churn, policy, scaleDownCooldown = day.rule.scaleDownCooldown } = options;
  const random = new Random(seed);
  const schedule = new Schedule(startMs);
  const verdict = new Verdict(() => schedule.nowMs, options.tell);
  const plan = planDay(random.fork(), startMs, options.bursts);
  const paceRandom = random.fork();
  const hardwareRandom = random.fork();
  const machines: Hardware[] = [];
  let serial = 0;
  const cloud = createCloud({
    nowMs: () => schedule.nowMs,
    newId: () => `${policy}-${++serial}`,
    hardware: () => {
      const drawn = churn.hardware(hardwareRandom.fork());
      machines.push(drawn);
      return drawn;
    },
    pace: () => ({
      ...drawStartUp(paceRandom),
      livesMs: churn.lifeMs(paceRandom),
      stoppingMs: Math.round(paceRandom.between(...stoppingMs)),
    }),
    requestsPerMinute: saladRequestsPerMinute,
  });
  cloud.accounts.add({ name: place.organization, replicasQuota: day.replicasQuota }, startMs);
  addGroup(cloud);

  let fleet: CloudFleet | undefined;
  const scenario = { ...scenarios.fleet, managedShare: 0, checkpointEveryMs: day.checkpointEveryMs };
  const agents = {
    wake: (count: number) => schedule.after(messageMs, () => fleet?.wake(count)),
    ended: () => undefined,
    reallocate: () => undefined,
  };
  const world = assemble({
    ...{ key, scenario, schedule, verdict, agents },
    random: random.fork(),
    bucketRandom: random.fork(),
  });
  world.surroundings.faults.on = false;
  const nodes = new CloudFleet(world.surroundings, cloud, random.fork());
  fleet = nodes;
  cloud.instances.watcher = nodes;
  const clock = new CloudClock(cloud, schedule);
  const port = new VirtualSaladPort({
    ...{ cloud, schedule, faultShare: saladFaultShare },
    random: random.fork(),
    changed: () => clock.look(),
  });
  world.sweep();
  const scale = { schedule, world, port, random: random.fork(), sockets: () => nodes.sockets };
  const submitted =
    policy === "shipped" ? shipped(scale, scaleDownCooldown, options.bendGroup) : kelpie(scale);
  const bursts = new Bursts(plan, world, cloud, submitted);

  let mostReplicas = 0;
  let mostRequestsPerMinute = 0;
  const lastJobMs = Math.max(...plan.flatMap(({ late }) => late.map(({ submittedMs }) => submittedMs)));
  const untilMs = (plan.at(-1)?.atMs ?? startMs) + longestMs;
  while (schedule.nowMs < untilMs && !verdict.violation) {
    const before = port.requests;
    await world.passMinute(patienceMs + 2 * day.heartbeatIntervalSeconds * second);
    mostRequestsPerMinute = Math.max(mostRequestsPerMinute, port.requests - before);
    bursts.look();
    const group = cloud.groups.find(place.organization, place.project, place.group);
    if (group && !group.stopped) mostReplicas = Math.max(mostReplicas, group.replicas);
    const isOver = schedule.nowMs > lastJobMs + minute && world.surroundings.judge.book.open().length === 0;
    if (isOver && isAtZero(cloud)) break;
  }
  const zeroAtEnd = isAtZero(cloud);
  // What is left in the object goes within its next alarms.
  for (let minutes = 0; minutes < 20 && !verdict.violation; minutes++) await world.passMinute(patienceMs);
  const { book } = world.surroundings.judge;
  if (!verdict.violation) everythingEnded(book, verdict, world.object.alarmMs, world.d1.database);
  nodes.stop();
  const actions = new Map(
    world.d1.database
      .all("SELECT action, COUNT(*) AS n FROM scaling_events GROUP BY action ORDER BY n DESC", [])
      .map(({ action, n }) => [String(action), Number(n)]),
  );
  world.d1.database.close();
  const jobs = plan.flatMap(({ jobs, late }) => [...jobs, ...late]);
  return {
    ...{ seed, policy, scaleDownCooldown, mostReplicas, mostRequestsPerMinute, zeroAtEnd, actions, machines },
    jobs: jobs.length,
    done: [...book.jobs.values()].filter(({ status }) => status === "completed").length,
    workMs: jobs.reduce((sum, { workMs }) => sum + workMs, 0),
    runningMs: nodes.runningMs,
    meanSpeed: nodes.capacityMs / nodes.runningMs,
    allocatedMs: nodes.allocatedMs,
    takenAway: nodes.takenAway,
    interrupted: nodes.interrupted,
    interruptions: nodes.interruptions,
    zombies: nodes.zombies,
    saladRequests: port.requests,
    saladTooMany: port.tooMany,
    saladFailed: port.failed,
    bursts: bursts.reports,
    violation: verdict.violation,
    digest: verdict.digest,
  };
}

function addGroup(cloud: Cloud): void {
  const container = { image: "example.com/trainer:1", resources: { cpu: 4, memory: 8192 } };
  const given = {
    ...{ name: place.group, container, replicas: 1, autostart_policy: false },
    restart_policy: "always" as const,
  };
  cloud.groups.create(place.organization, place.project, given, startMs, key.containerGroupId);
}

const isAtZero = (cloud: Cloud): boolean =>
  cloud.groups
    .all()
    .every((group) => statusOf(cloud, group) === "stopped" && cloud.instances.of(group).length === 0);

/** Lets SaladCloud do what it does by itself, when it is due. */
class CloudClock {
  readonly #cloud: Cloud;
  readonly #schedule: Schedule;
  #plannedMs = Number.POSITIVE_INFINITY;

  constructor(cloud: Cloud, schedule: Schedule) {
    this.#cloud = cloud;
    this.#schedule = schedule;
  }

  look(): void {
    this.#cloud.instances.reconcile();
    const nextMs = this.#cloud.instances.nextChangeMs();
    if (nextMs === null || nextMs >= this.#plannedMs) return;
    this.#plannedMs = nextMs;
    this.#schedule.at(nextMs, () => {
      if (this.#plannedMs === nextMs) this.#plannedMs = Number.POSITIVE_INFINITY;
      this.look();
    });
  }
}

interface Scaled {
  schedule: Schedule;
  world: Assembled;
  port: VirtualSaladPort;
  random: Random;
  sockets(): CloudFleet["sockets"];
}

/** Told after each submission. */
type Submitted = () => void;

/** The shipped autoscaler as the Worker runs it: each minute by cron, and when jobs come where nobody works. */
function shipped(
  { schedule, world, port, random, sockets }: Scaled,
  scaleDownCooldown: number,
  bend: DayOptions["bendGroup"] = (group) => group,
): Submitted {
  const { d1, object, engineThrew } = world;
  const desk = new LocalDesk(() => schedule.nowMs);
  let operations = 0;
  const caller = { alive: true, crash: () => undefined };
  const group = bend(groupPort({ schedule, object }, caller, sockets));
  const scaler = new Scaler({
    d1: { batch: (statements) => d1.send(caller, statements) },
    salad: port,
    budget: desk,
    turns: desk,
    rounds: desk,
    group: () => group,
    nowMs: () => Math.floor(schedule.nowMs),
    sleep: (ms) =>
      new Promise((resolve) =>
        schedule.after(ms, () => {
          schedule.touched = true;
          resolve();
        }),
      ),
    random: () => random.next(),
    operationId: () => `step-${++operations}`,
    log: ({ event, detail }) => world.surroundings.judge.event({ event, detail }),
  });
  d1.apply([
    insertRule({
      ...key,
      ...day.rule,
      scaleDownCooldown,
      orgName: place.organization,
      projectName: place.project,
      containerGroupName: place.group,
      paused: false,
      created: startMs,
    }),
  ]);
  const run = (work: () => Promise<unknown>) => {
    schedule.touched = true;
    work().catch(engineThrew);
  };
  const eachMinute = () => {
    schedule.after(minute, eachMinute);
    run(() => scaler.pass());
  };
  schedule.after(random.between(0, minute), eachMinute);
  return () =>
    object.call(
      (engine) => engine.jobsAdded(key, 0, 1, sockets),
      (answer) => {
        if (answer?.unattended) schedule.after(rpcMs, () => run(() => scaler.submitted(key)));
      },
      engineThrew,
    );
}

/** The original's. The queue is ours here, too, so that nothing differs but who scales. */
function kelpie({ schedule, world, port, random }: Scaled): Submitted {
  const { d1, object, engineThrew } = world;
  const each = () => {
    schedule.after(everyMs, each);
    const endedSinceMs = schedule.nowMs - day.rule.idleThresholdSeconds * second;
    const [row] =
      d1.apply([
        {
          sql: `SELECT COUNT(*) AS n FROM jobs WHERE container_group_id = ?1 AND (status IN ('pending', 'running')
                OR COALESCE(completed, failed, canceled) >= ?2)`,
          params: [key.containerGroupId, endedSinceMs],
        },
      ])[0] ?? [];
    schedule.touched = true;
    scaleAsKelpie(port, place, day.rule, Number(row?.n ?? 0)).catch(engineThrew);
  };
  // Any phase is as likely as the other.
  schedule.after(random.between(0, everyMs), each);
  return () =>
    object.call(
      (engine) => engine.jobsAdded(key, 0),
      () => undefined,
      engineThrew,
    );
}

/** Submits, and sees how soon something comes of it. */
class Bursts {
  readonly reports: BurstReport[] = [];
  readonly #plan: Burst[];
  readonly #world: Assembled;
  readonly #cloud: Cloud;

  constructor(plan: Burst[], world: Assembled, cloud: Cloud, submitted: Submitted) {
    this.#plan = plan;
    this.#world = world;
    this.#cloud = cloud;
    const { schedule, judge, storage } = world.surroundings;
    for (const burst of plan) {
      schedule.at(burst.atMs - 1, () => {
        this.reports.push({
          jobs: burst.jobs.length,
          ...{ firstAskedMs: null, askedMs: null, startedMs: null, doneMs: null },
          zeroBefore: isAtZero(cloud),
        });
        this.#lookOften(burst);
      });
      for (const { id, submittedMs, workMs } of [...burst.jobs, ...burst.late]) {
        schedule.at(submittedMs, () => {
          storage.add(id, { totalMs: workMs, storedMs: 0, failShare: 0, managed: false });
          judge.submitted(id, 0, false);
          insertJob(world.d1, key, id, {
            created: Math.floor(schedule.nowMs),
            heartbeat_interval: day.heartbeatIntervalSeconds,
          });
          submitted();
        });
      }
    }
  }

  /** Each second until the replicas are asked for; jobs are looked at each minute. */
  #lookOften(burst: Burst): void {
    const { schedule } = this.#world.surroundings;
    schedule.after(1 * second, () => {
      const report = this.reports[this.#plan.indexOf(burst)];
      if (!report || report.askedMs !== null) return;
      const needed = Math.min(burst.jobs.length, day.rule.maxReplicas);
      const group = this.#cloud.groups.byId(key.containerGroupId);
      const asked = group && !group.stopped ? group.replicas : 0;
      if (asked > 0) report.firstAskedMs ??= schedule.nowMs - burst.atMs;
      if (asked >= needed) report.askedMs = schedule.nowMs - burst.atMs;
      else this.#lookOften(burst);
    });
  }

  look(): void {
    const { schedule, judge } = this.#world.surroundings;
    for (const [i, report] of this.reports.entries()) {
      const burst = this.#plan[i];
      if (!burst || report.doneMs !== null) continue;
      const books = [...burst.jobs, ...burst.late].map(({ id }) => judge.book.jobs.get(id));
      if (report.startedMs === null && books.some((book) => book && book.attempt > 0))
        report.startedMs = schedule.nowMs - burst.atMs;
      if (books.every((book) => book?.status === "completed")) report.doneMs = schedule.nowMs - burst.atMs;
    }
  }
}
