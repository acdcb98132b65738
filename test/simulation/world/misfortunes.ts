/** What befalls the API as a whole: the object dies, loses its storage, cannot be reached; D1 is down. */
import type { Judge } from "../judge/judge.ts";
import { minute, type Scenario, second } from "../scenario.ts";
import type { SimulatedBucket } from "./bucket.ts";
import type { Faults } from "./faults.ts";
import type { GroupObject } from "./group-object.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";

/** An outage is doubted once: two in a row are more than the protocol promises to sit out. */
const betweenOutagesMs = 12 * minute;

export function misfortunesOfTheApi(
  world: {
    schedule: Schedule;
    faults: Faults;
    random: Random;
    object: GroupObject;
    judge: Judge;
    scenario: Scenario;
  },
  wakeFrozen: () => void,
): void {
  const { schedule, faults, random, object, judge, scenario } = world;
  const often = (everyMs: number, kind: string, what: () => void) => {
    schedule.after(random.exponential(everyMs), () => {
      if (!faults.on) return;
      faults.count(kind);
      what();
      often(everyMs, kind, what);
    });
  };
  often(scenario.crashEveryMs, "object crashed", () => object.crash());
  often(scenario.storageLossEveryMs, "object lost its storage", () => {
    object.crash(true);
    // Zombies that come back just then meet an object that knows nobody.
    if (random.chance(0.5)) wakeFrozen();
  });
  often(scenario.outageEveryMs + betweenOutagesMs, "API outage", () => {
    if (faults.outageUntilMs + betweenOutagesMs > schedule.nowMs) return;
    faults.outageUntilMs = schedule.nowMs + random.logBetween(10 * second, 10 * minute);
    judge.outages.add(schedule.nowMs, faults.outageUntilMs);
    // Half of them because the object's machine is gone.
    if (random.chance(0.5)) object.crash();
  });
  often(scenario.d1OutageEveryMs, "D1 outage", () => {
    faults.d1DownUntilMs = schedule.nowMs + random.logBetween(5 * second, 3 * minute);
  });
}

/** Objects of the bucket get lost, or have other bytes. */
export function rotEachSoOften(world: {
  schedule: Schedule;
  faults: Faults;
  random: Random;
  bucket: SimulatedBucket;
  scenario: Scenario;
}): void {
  const { schedule, faults, random, bucket, scenario } = world;
  schedule.after(random.exponential(scenario.rotEveryMs), () => {
    if (!faults.on) return;
    rotEachSoOften(world);
    faults.count("object rotted");
    bucket.rot();
  });
}
