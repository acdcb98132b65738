/** An agent of its own that waits for work, with a socket over which it is woken. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type LocalAgent, startLocalAgent } from "../local-agent.ts";
import type { Ground } from "./storage-agent.ts";

/** The agent says that it waits before the API has heard it. */
const settleMs = 300;
const startTimeoutMs = 60_000;

/** Resolves once it waits. */
export async function startIdleAgent(
  { api, client, directory }: Ground,
  containerGroupId: string,
  machineId: string,
  program?: [string, ...string[]],
): Promise<LocalAgent> {
  const waits = Promise.withResolvers<void>();
  const agent = startLocalAgent({
    api,
    key: client.key,
    containerGroupId,
    machineId,
    program,
    directory: join(directory, containerGroupId, machineId),
    // Rarely enough that every job is found by a wake.
    env: { KELPIE_POLL_SECONDS: "60", KELPIE_LOG_LEVEL: "debug" },
    onLine: (line) => {
      if (line.includes('"no work"') && line.includes('"connected":true')) waits.resolve();
    },
  });
  const inVain = sleep(startTimeoutMs, "late", { ref: false });
  if ((await Promise.race([waits.promise, inVain, agent.exited])) !== undefined)
    throw new Error(`${machineId} does not wait for work:\n${agent.tail(20)}`);
  await sleep(settleMs);
  return agent;
}
