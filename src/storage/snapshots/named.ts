import { type KeptRecord, mostKept } from "../../db/checkpoints/series.ts";
import { manifestKey, snapshotsOfJob } from "../keys.ts";
import type { StoragePorts } from "../ports.ts";
import { placeOf, readManifestHead } from "./manifest-head.ts";

/**
 * Takes out of `candidates` (places below the job) all that the kept generations name, and their manifests. One manifest at a
 * time: a hundred of them do not fit into memory. False: one cannot be read, or there are too many: so what is named is not known.
 */
export async function subtractNamed(
  ports: StoragePorts,
  { userId, jobId }: { userId: string; jobId: string },
  kept: KeptRecord[],
  candidates: Set<string>,
): Promise<boolean> {
  if (kept.length >= mostKept) return false;
  const root = snapshotsOfJob(userId, jobId);
  for (const { attempt, generation, manifest_sha256, damaged } of kept) {
    const key = manifestKey({ userId, jobId, attempt }, generation, manifest_sha256);
    candidates.delete(key.slice(root.length));
    const manifest = await readManifestHead(ports.bucket, key);
    if (manifest.kind === "read") {
      for (const chunk of manifest.head.chunks) candidates.delete(placeOf(chunk));
    } else if (damaged === null) {
      ports.log({ severity: "error", event: "manifest_unreadable", jobId, attempt, detail: key });
      return false;
    }
  }
  return true;
}
