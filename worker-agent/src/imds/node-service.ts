/** What an agent tells and asks of the node it runs on, put together. */
import type { Clock } from "../clock.ts";
import type { Config } from "../config.ts";
import type { DirectoryLocks } from "../directory-locks.ts";
import type { Log } from "../log.ts";
import type { WorkSignals } from "../socket/work-signals.ts";
import type { Timings } from "../timings.ts";
import { DeletionCost } from "./deletion-cost.ts";
import type { Imds } from "./imds.ts";
import { Moves } from "./moves.ts";
import { Presence } from "./presence.ts";
import { Residents } from "./residents.ts";

export interface NodeSettings {
  imds: Imds;
  config: Pick<Config, "imds" | "identity" | "instanceId" | "maxJobFailures" | "recreateBetweenJobs">;
  clock: Clock;
  log: Log;
  timings: Timings;
}

export interface NodeService {
  deletionCost: DeletionCost;
  moves: Moves;
  /** All loops about the node, until `over`; no move is made once `stopping` aborts. */
  run(over: AbortSignal, stopping: AbortSignal): Promise<void>;
}

/** Makes the agent known as one of this container's. */
export async function enterNode(
  settings: NodeSettings,
  signals: WorkSignals,
  locks: DirectoryLocks,
): Promise<NodeService> {
  const { imds, config, log, timings } = settings;
  const residents = new Residents(locks, config.instanceId ?? config.identity.machine_id);
  const leave = await residents.enter();
  const presence = new Presence({ imds, expected: config.imds.expected, log, timings });
  const deletionCost = new DeletionCost({ ...settings, presence });
  const moves = new Moves({ ...settings, presence, residents, signals });
  return {
    deletionCost,
    moves,
    async run(over, stopping) {
      await Promise.all([
        presence.look(over),
        deletionCost.run(over),
        moves.run(AbortSignal.any([over, stopping])),
      ]);
      await leave();
    },
  };
}
