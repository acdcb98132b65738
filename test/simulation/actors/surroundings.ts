/** What every actor works with. */
import type { GroupKey } from "../../../src/group/protocol.ts";
import type { Judge } from "../judge/judge.ts";
import type { Scenario } from "../scenario.ts";
import type { SimulatedBucket } from "../world/bucket.ts";
import type { Faults } from "../world/faults.ts";
import type { Random } from "../world/random.ts";
import type { Schedule } from "../world/schedule.ts";
import type { Worker } from "../world/worker.ts";
import type { Machine } from "./machine.ts";
import type { Network } from "./network.ts";
import type { Pace } from "./pace.ts";
import type { Storage } from "./storage.ts";

export interface Surroundings {
  schedule: Schedule;
  random: Random;
  scenario: Scenario;
  faults: Faults;
  network: Network;
  judge: Judge;
  storage: Storage;
  worker: Worker;
  bucket: SimulatedBucket;
  key: GroupKey;
  /** Absent: chance decides how long things take. */
  pace?: Pace;
  /** Told whenever an agent of that machine has taken or left a lease. */
  leasesChanged?(machine: Machine): void;
}
