/** An agent of its own that waits for work, with a socket over which it is woken. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type LocalAgent, startLocalAgent } from "../local-agent.ts";
import type { Client } from "../local-client.ts";
import type { Ground } from "./storage-agent.ts";

export interface IdleAgent extends LocalAgent {
  /** Called before it is given work, resolves when it waits for more. Throws when it ends instead, or takes over a minute. */
  waitsAgain(): Promise<void>;
}

/** The agent says that it waits before the API has heard it, and has cleared up after the job before by then. */
const settleMs = 300;
const waitTimeoutMs = 60_000;

/** Resolves once it waits. */
export async function startIdleAgent(
  { api, client, directory }: Pick<Ground, "api" | "directory"> & { client: Pick<Client, "key"> },
  containerGroupId: string,
  machineId: string,
): Promise<IdleAgent> {
  let waits = Promise.withResolvers<void>();
  const agent = startLocalAgent({
    api,
    key: client.key,
    containerGroupId,
    machineId,
    directory: join(directory, containerGroupId, machineId),
    // Rarely enough that every job is found by a wake.
    env: { KELPIE_POLL_SECONDS: "60", KELPIE_LOG_LEVEL: "debug" },
    onLine: (line) => {
      if (line.includes('"no work"') && line.includes('"connected":true')) waits.resolve();
    },
  });
  const waitsAgain = async () => {
    waits = Promise.withResolvers();
    const inVain = sleep(waitTimeoutMs, "late", { ref: false });
    if ((await Promise.race([waits.promise, inVain, agent.exited])) !== undefined)
      throw new Error(`${machineId} does not wait for work:\n${agent.tail(20)}`);
    await sleep(settleMs);
  };
  await waitsAgain();
  return { ...agent, waitsAgain };
}
