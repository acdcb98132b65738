/**
 * From submitting a job to its command's first act, on an agent that waits: a process of its own, woken over its socket. The
 * command is a shell that writes down the time; starting it is part of what is measured.
 */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import type { LocalApi } from "../local-api.ts";
import { startIdleAgent } from "./idle-agent.ts";
import { bare, Client, expectStatus, median, runRound } from "./measure.ts";

/** Beside each submission, so that the machine's noise hits both. */
const bareRequests = 20;

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
  const containerGroupId = "idle";
  const agent = await startIdleAgent({ api, client: { key }, directory }, containerGroupId, "idle-machine");
  const client = new Client(api.url, 1, key);
  const submit = async (job: unknown) =>
    expectStatus(await client.send("POST", "/jobs", JSON.stringify(job)), 202);
  try {
    const startedMs: number[] = [];
    const bareMs: number[] = [];
    // The first one warms up.
    for (let n = 0; n <= submissions; n++) {
      const round = await runRound(bare, client, 1, bareRequests);
      const file = join(directory, `started-${n}`);
      const job = {
        command: "sh",
        arguments: ["-c", 'date +%s%N > "$0"', file],
        container_group_id: containerGroupId,
        sync: {},
      };
      const sentMs = performance.timeOrigin + performance.now();
      await Promise.all([agent.waitsAgain(), submit(job)]);
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
