/**
 * `npm run chaos -- --soak 1000 [--slots 4]`: one agent and so many tiny jobs, each with a checkpoint directory and an output on S3. Idle it
 * must be idle, and after the jobs it must hold no more than after the first fifth of them.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { BenchPlay } from "../../bench/bench-play.ts";
import { endOf } from "../../bench/end-of-job.ts";
import { showMachineLoad } from "../../bench/machine-load.ts";
import type { Ground } from "../../bench/storage-agent.ts";
import { startLocalAgent } from "../../local-agent.ts";
import { localBucket } from "../../local-api.ts";
import type { SubmittedJob } from "../../local-client.ts";
import { residentBytesOf } from "../../processes/memory.ts";
import { runToTheEnd } from "../../processes/run-to-the-end.ts";
import { HeapTeller, idleCpuPercent, programThatTellsItsHeap } from "./footprint.ts";

export const bounds = {
  /** Of a core. */
  idleCpuPercent: 0.5,
  /** From the first fifth of the jobs to the last: of 800 jobs, 2.6 KB each. */
  liveHeapBytes: 2 * 1024 ** 2,
  /** V8 gives garbage back when it likes, so this is wide (5 MiB were seen); the live heap is the sharp one. */
  residentBytes: 16 * 1024 ** 2,
};

const idleMs = 30_000;
/** What is left of its start, or of the last job, is over by then. */
const settleMs = 10_000;
const batchJobs = 50;
const containerGroupId = "soak";

/** `slots`: jobs that the agent runs at once. */
export async function soak(jobs: number, slots: number): Promise<never> {
  return await runToTheEnd("soak", (directory, interrupted) => {
    return new BenchPlay(directory, interrupted, (ground) => run(ground, jobs, slots));
  });
}

interface Footprint {
  jobs: number;
  liveBytes: number;
  residentBytes: number;
}

async function run(ground: Ground, jobs: number, slots: number): Promise<boolean> {
  const heap = new HeapTeller();
  const agent = startLocalAgent({
    api: ground.api,
    key: ground.client.key,
    containerGroupId,
    machineId: "soak-machine",
    directory: join(ground.directory, "agent"),
    program: programThatTellsItsHeap,
    env: { KELPIE_LOG_LEVEL: "warn", KELPIE_SLOTS: String(slots) },
    onLine: (line) => heap.hear(line),
  });
  const look = async (done: number): Promise<Footprint> => {
    const resident = residentBytesOf(agent.pid) ?? Number.NaN;
    return { jobs: done, liveBytes: await heap.liveBytes(agent), residentBytes: resident };
  };

  await sleep(settleMs);
  const idleBefore = await idleCpuPercent(agent.pid, idleMs);
  ground.tell(`idle, before any job: ${idleBefore.toFixed(2)} % of a core over ${idleMs / 1000} s`);

  const seen: Footprint[] = [await look(0)];
  for (let done = 0; done < jobs; ) {
    const wanted = Math.min(batchJobs, jobs - done);
    const batch = Array.from({ length: wanted }, (_, n) => tinyJob(done + n, slots));
    const submitted = await ground.client.submit(batch);
    for (const { id } of submitted) {
      if ((await endOf(ground, id, 100)).status !== "completed")
        throw new Error(`a job of the soak did not complete:\n${agent.tail()}`);
    }
    done += wanted;
    const now = await look(done);
    seen.push(now);
    ground.tell(
      `${String(done).padStart(6)} jobs: live heap ${mib(now.liveBytes)}, resident ${mib(now.residentBytes)}`,
    );
  }
  await sleep(settleMs);
  const idleAfter = await idleCpuPercent(agent.pid, idleMs);
  ground.tell(`idle, after ${jobs} jobs: ${idleAfter.toFixed(2)} % of a core`);
  await agent.stop();
  showMachineLoad();
  return judge(seen, Math.max(idleBefore, idleAfter));
}

function judge(seen: Footprint[], idlePercent: number): boolean {
  const broken = brokenBounds(seen, idlePercent);
  const [early, last] = [earlyOf(seen), seen.at(-1)];
  if (early && last)
    console.log(
      `from job ${early.jobs} to ${last.jobs}: live heap ${mib(last.liveBytes - early.liveBytes)}, resident ${mib(last.residentBytes - early.residentBytes)}; idle ${idlePercent.toFixed(2)} %`,
    );
  console.log(
    broken.length === 0 ? "Flat and idle." : `Not so:\n${broken.map((why) => `  - ${why}`).join("\n")}`,
  );
  return broken.length === 0;
}

/** By then everything has been used that is kept for good: connections, compiled code, caches. */
function earlyOf(seen: Footprint[]): Footprint | undefined {
  const jobs = seen.at(-1)?.jobs ?? 0;
  return seen.find((one) => one.jobs >= jobs / 5);
}

/** What is beyond its bound, in words; empty: nothing. `seen`: in order, the first one before any job. */
export function brokenBounds(seen: Footprint[], idlePercent: number): string[] {
  const [early, last] = [earlyOf(seen), seen.at(-1)];
  if (!early || !last || early === last) return ["too few jobs to tell whether anything grows"];
  const grown = (what: string, bytes: number, bound: number) =>
    bytes > bound
      ? [`${what} grew by ${mib(bytes)} from job ${early.jobs} to ${last.jobs}; ${mib(bound)} at most`]
      : [];
  return [
    ...grown("the live heap", last.liveBytes - early.liveBytes, bounds.liveHeapBytes),
    ...grown("resident memory", last.residentBytes - early.residentBytes, bounds.residentBytes),
    ...(idlePercent > bounds.idleCpuPercent
      ? [`idle, it takes ${idlePercent.toFixed(2)} % of a core; ${bounds.idleCpuPercent} % at most`]
      : []),
  ];
}

/** Goes through all that a job goes through: directories, a mirror with a pattern, an output. */
export function tinyJob(number: number, slots: number) {
  const s3 = { bucket: localBucket.bucket, prefix: `soak/${number}/` };
  // A job runs beside none that names its directories. One after the other, jobs share them, as those of most queues do.
  const place = slots === 1 ? "" : `job-${number}/`;
  return {
    command: "sh",
    arguments: ["-c", `echo done > ${place}out/result`],
    container_group_id: containerGroupId,
    heartbeat_interval: 30,
    sync: {
      during: [{ ...s3, local_path: `${place}state`, direction: "upload", pattern: "\\.json$" }],
      after: [{ ...s3, local_path: `${place}out`, direction: "upload" }],
    },
  } satisfies SubmittedJob;
}

const mib = (bytes: number) => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
