import type { Head } from "../../contract/index.ts";
import { type KeptRecord, readSeries } from "../../db/checkpoints/series.ts";
import type { StoragePorts } from "../ports.ts";
import { headOf } from "./series.ts";

/**
 * What the next generation builds on and a resume begins with; null: D1 cannot tell. A series that has had a generation has
 * one that is not retired: only a commit retires, and never itself. So no row means that there never was one.
 */
export async function readHead(
  ports: Pick<StoragePorts, "d1" | "log">,
  jobId: string,
  prefix: string,
): Promise<Head | null> {
  let series: KeptRecord[];
  try {
    const [records] = await ports.d1.batch([readSeries(jobId, prefix)]);
    series = (records ?? []) as unknown as KeptRecord[];
  } catch (error) {
    ports.log({ severity: "warning", event: "head_unknown", jobId, detail: String(error) });
    return null;
  }
  const head = headOf(series);
  if (head === null) return { head: null, lost: series.length > 0 };
  const { attempt, generation, manifest_sha256: sha256, manifest_bytes: size } = head;
  return { head: { attempt, generation, manifest: { sha256, size } }, lost: false };
}
