/**
 * The yardstick: rclone with its defaults, on the same S3 endpoint. Up only: it signs the `Accept-Encoding` of what it gets, which the
 * local endpoint's proxy rewrites, so each GET of rclone 1.60 is refused (403) there.
 */
import { localBucket } from "../local-api.ts";
import { startProcess } from "../processes/managed-process.ts";
import { peakBytesOf } from "../processes/memory.ts";
import type { Ground } from "./storage-agent.ts";
import type { Took } from "./storage-rounds.ts";

/** The memory is looked at so often; its peak is the system's own, only what it adds in its last moment is missed. */
const lookMs = 50;

export async function rcloneIsThere(directory: string): Promise<boolean> {
  const { code } = await startProcess("rclone", ["version"], { cwd: directory, env: process.env }).exited;
  return code === 0;
}

export const rcloneUp = (ground: Ground, source: string, prefix: string): Promise<Took> =>
  copy(ground, source, remote(prefix));

const remote = (prefix: string) => `:s3:${localBucket.bucket}/${prefix}`;

async function copy({ api, directory }: Ground, from: string, to: string): Promise<Took> {
  const beganMs = performance.now();
  const rclone = startProcess("rclone", ["--config=", "copy", from, to, "--retries=1"], {
    cwd: directory,
    env: {
      PATH: process.env.PATH,
      RCLONE_S3_PROVIDER: "Other",
      RCLONE_S3_ENDPOINT: api.s3Endpoint,
      RCLONE_S3_REGION: localBucket.region,
      RCLONE_S3_ACCESS_KEY_ID: localBucket.accessKeyId,
      RCLONE_S3_SECRET_ACCESS_KEY: localBucket.secretAccessKey,
      RCLONE_S3_NO_CHECK_BUCKET: "true",
    },
  });
  let peakBytes = Number.NaN;
  const look = setInterval(() => {
    peakBytes = peakBytesOf(rclone.pid) ?? peakBytes;
  }, lookMs);
  const { code } = await rclone.exited;
  clearInterval(look);
  if (code !== 0) throw new Error(`rclone ended with code ${code}: ${rclone.tail(2)}`);
  return { seconds: (performance.now() - beganMs) / 1000, peakBytes };
}
