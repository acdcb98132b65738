/** The cron sweep, each minute: reads D1's running jobs and asks the group, as src/cron/sweep.ts does for all groups. */
import { readRunning, type SweepRecord, sweepStart } from "../../../src/db/leases/sweep.ts";
import type { GroupKey } from "../../../src/group/protocol.ts";
import { minute, second } from "../scenario.ts";
import type { SimulatedD1 } from "./d1.ts";
import type { Faults } from "./faults.ts";
import type { GroupObject } from "./group-object.ts";
import type { Random } from "./random.ts";
import type { Schedule } from "./schedule.ts";

const pageSize = 1_000;

export function sweepEachMinute(
  world: { schedule: Schedule; faults: Faults; random: Random; d1: SimulatedD1; object: GroupObject },
  key: GroupKey,
): void {
  const { schedule, faults, random, d1, object } = world;
  schedule.after(minute, () => {
    sweepEachMinute(world, key);
    if (schedule.nowMs < faults.outageUntilMs || schedule.nowMs < faults.d1DownUntilMs) return;
    if (faults.on && random.chance(0.1)) {
      faults.count("sweep failed");
      return;
    }
    const records = d1.apply([readRunning(sweepStart, pageSize)])[0] as unknown as SweepRecord[];
    // A group without running jobs is not asked.
    const running = records
      .filter((record) => record.user_id === key.userId && record.container_group_id === key.containerGroupId)
      .map((record) => ({
        id: record.id,
        attempt: record.attempt,
        machineId: record.machine_id,
        heartbeatIntervalSeconds: record.heartbeat_interval,
      }));
    if (running.length === 0) return;
    // What it knows is old when it arrives.
    const delayMs = faults.on ? random.logBetween(5, 20 * second) : 10;
    schedule.after(delayMs, () =>
      object.call(
        (engine) => engine.reconcile(key, running),
        () => undefined,
        // D1 failed it; the next pass asks again.
        () => faults.count("sweep failed"),
      ),
    );
  });
}
