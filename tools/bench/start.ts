/**
 * From submitting a job to its command's first act, on an agent that waits: a process of its own, woken over its socket. The
 * command is a shell that writes down the time; starting it is part of what is measured.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startLocalAgent } from "../local-agent.ts";
import type { LocalApi } from "../local-api.ts";
import { bare, Client, expectStatus, median, runRound } from "./measure.ts";

/** Beside each submission, so that the machine's noise hits both. */
const bareRequests = 20;
/** The agent says that it waits before the API has heard it, and has cleared up after the job before by then. */
const settleMs = 300;

export interface StartLatency {
  medianMs: number;
  slowestMs: number;
  /** One bare request of one client, in the same rounds. */
  bareMs: number;
}

/** Median of `submissions` jobs, one at a time. */
export async function measureStart(
  api: LocalApi,
  key: string,
  directory: string,
  submissions: number,
): Promise<StartLatency> {
  await mkdir(directory, { recursive: true });
  const waits = new Waits();
  const containerGroupId = "idle";
  const agent = startLocalAgent({
    api,
    key,
    containerGroupId,
    machineId: "idle-machine",
    directory: join(directory, "agent"),
    // Rarely enough that every job is found by a wake.
    env: { KELPIE_POLL_SECONDS: "60", KELPIE_LOG_LEVEL: "debug" },
    onLine: (line) => line.includes('"no work"') && line.includes('"connected":true') && waits.begin(),
  });
  const client = new Client(api.url, 1, key);
  try {
    const startedMs: number[] = [];
    const bareMs: number[] = [];
    // The first one warms up.
    for (let n = 0; n <= submissions; n++) {
      await waits.next();
      await sleep(settleMs);
      const round = await runRound(bare, client, 1, bareRequests);
      const file = join(directory, `started-${n}`);
      const job = {
        command: "sh",
        arguments: ["-c", 'date +%s%N > "$0"', file],
        container_group_id: containerGroupId,
        sync: {},
      };
      const sentMs = performance.timeOrigin + performance.now();
      expectStatus(await client.send("POST", "/jobs", JSON.stringify(job)), 202);
      await waits.ended();
      if (n === 0) continue;
      startedMs.push(Number(await readFile(file, "utf8")) / 1e6 - sentMs);
      bareMs.push(median(round.timesMs));
    }
    return { medianMs: median(startedMs), slowestMs: Math.max(...startedMs), bareMs: median(bareMs) };
  } finally {
    await client.close();
    await agent.kill();
  }
}

/** The agent's waiting for work, told by its log: it begins once per job. */
class Waits {
  #begun = 0;
  #seen = 0;
  #change = Promise.withResolvers<void>();

  begin(): void {
    this.#begun++;
    this.#change.resolve();
    this.#change = Promise.withResolvers();
  }

  /** It waits now. */
  async next(): Promise<void> {
    while (this.#begun === 0) await this.#change.promise;
    this.#seen = this.#begun;
  }

  /** It waits again: whatever it was given since `next` has ended. */
  async ended(): Promise<void> {
    while (this.#begun === this.#seen) await this.#change.promise;
  }
}
