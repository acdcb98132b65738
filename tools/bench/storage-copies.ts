/** A directory up and down again, by an agent's job: outputs after the command, inputs before it. */
import { rm } from "node:fs/promises";
import { localBucket } from "../local-api.ts";
import type { SubmittedJob } from "../local-client.ts";
import { BenchAgent, type Ground } from "./storage-agent.ts";
import type { Took } from "./storage-rounds.ts";

export type Store = "managed" | "S3";

const place = (store: Store, prefix: string) => ({
  ...(store === "S3" ? { bucket: localBucket.bucket } : {}),
  prefix,
});

/** From the command's end to the recorded one: every output was seen in the storage by then. */
export function copyUp(ground: Ground, store: Store, source: string, prefix: string): Promise<Took> {
  const job = {
    // Linked, not copied: what the command does is no part of it, and the disk holds the source once.
    command: "cp",
    arguments: ["-al", `${source}/.`, "out"],
    sync: { after: [{ ...place(store, prefix), local_path: "./out", direction: "upload" as const }] },
  };
  return runJob(ground, job, ["command ended", "reported completed"]);
}

/** From the claim to the last byte in place. The command looks whether it is what went up. */
export function copyDown(ground: Ground, store: Store, source: string, prefix: string): Promise<Took> {
  const job = {
    command: "diff",
    arguments: ["-rq", source, "in"],
    sync: { before: [{ ...place(store, prefix), local_path: "./in", direction: "download" as const }] },
  };
  return runJob(ground, job, ["job claimed", "downloads done"]);
}

let jobs = 0;

async function runJob(
  ground: Ground,
  job: Omit<SubmittedJob, "container_group_id">,
  [begin, end]: [string, string],
): Promise<Took> {
  const name = `copy-${++jobs}`;
  await ground.client.submit([{ ...job, container_group_id: name, max_failures: 1 }]);
  const agent = new BenchAgent(ground, name, name);
  try {
    const began = await agent.says(begin);
    const ended = await agent.says(end);
    await agent.says("reported completed");
    return { seconds: (ended.timeMs - began.timeMs) / 1000, peakBytes: agent.peakBytes() };
  } finally {
    await agent.kill();
    await rm(agent.directory, { recursive: true, force: true });
  }
}
