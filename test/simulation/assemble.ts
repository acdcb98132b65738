/** The API's side of a simulated world, with its judge: what is there before the first agent comes. */

import type { AgentsPort } from "../../src/group/ports.ts";
import type { GroupKey } from "../../src/group/protocol.ts";
import { Network } from "./actors/network.ts";
import { Storage } from "./actors/storage.ts";
import type { Surroundings } from "./actors/surroundings.ts";
import { Judge } from "./judge/judge.ts";
import type { Verdict } from "./judge/verdict.ts";
import { minute, type Scenario } from "./scenario.ts";
import { SimulatedBucket } from "./world/bucket.ts";
import { SimulatedD1 } from "./world/d1.ts";
import { Faults } from "./world/faults.ts";
import { GroupObject } from "./world/group-object.ts";
import type { Random } from "./world/random.ts";
import type { Schedule } from "./world/schedule.ts";
import { sweepEachMinute } from "./world/sweep.ts";
import { Worker } from "./world/worker.ts";

export interface Assembled {
  surroundings: Surroundings;
  d1: SimulatedD1;
  object: GroupObject;
  engineThrew(error: unknown): void;
  /** Starts the minute's sweep of leases. */
  sweep(): void;
  /** A minute passes, or less if an invariant breaks. `patienceMs`: how long a row may go without a look at it. */
  passMinute(patienceMs: number): Promise<void>;
  /** To be asked after each event: whether an invariant has broken. */
  halted(): boolean;
}

/** `random` is forked in a fixed order, `bucketRandom` is the bucket's own. */
export function assemble(parts: {
  key: GroupKey;
  scenario: Scenario;
  schedule: Schedule;
  verdict: Verdict;
  random: Random;
  bucketRandom: Random;
  agents: AgentsPort;
}): Assembled {
  const { key, scenario, schedule, verdict, random, agents } = parts;
  const faults = new Faults(scenario, random.fork(), () => schedule.nowMs);
  const judge = new Judge(schedule, faults, verdict, key.userId);
  const d1 = new SimulatedD1(schedule, faults, judge);
  const object = new GroupObject({ schedule, faults, random: random.fork(), d1, watcher: judge, agents });
  const bucket = new SimulatedBucket(schedule, faults, parts.bucketRandom, judge.storage);
  const worker = new Worker({ schedule, faults, d1, bucket }, (event) => judge.event(event));
  judge.watch(d1, object, bucket);
  const engineThrew = (error: unknown) => judge.engineThrew(error);
  const network = new Network(schedule, faults, object, engineThrew);
  const storage = new Storage();
  const halted = () => {
    judge.atRest();
    return verdict.violation !== null;
  };
  return {
    surroundings: {
      schedule,
      random: random.fork(),
      scenario,
      faults,
      network,
      judge,
      storage,
      worker,
      bucket,
      key,
    },
    d1,
    object,
    engineThrew,
    sweep: () => sweepEachMinute({ schedule, faults, random: random.fork(), d1, object }, key),
    async passMinute(patienceMs) {
      await schedule.runUntil(schedule.nowMs + minute, halted);
      judge.looksAround(patienceMs);
    },
    halted,
  };
}
