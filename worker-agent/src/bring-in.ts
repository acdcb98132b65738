/** The `before` rules: downloads, and directories resumed from snapshots. */
import type { DownloadRule } from "../../src/contract/index.ts";
import type { SnapshotContext, Snapshots } from "./snapshot/ports.ts";
import type { Restored } from "./snapshot/restored.ts";
import type { KnownFiles, Transfers } from "./transfer/ports.ts";

export interface BroughtIn {
  /** Files as downloads wrote them. */
  known: KnownFiles;
  restored: Restored[];
}

/** In their order: where two rules write one file, the later one wins. Downloads that stand together are planned together. */
export async function carryOutBefore(
  rules: DownloadRule[],
  { snapshots, transfers }: { snapshots: Snapshots; transfers: Transfers },
  context: SnapshotContext,
): Promise<BroughtIn> {
  const known: KnownFiles = new Map();
  const restored: Restored[] = [];
  for (let done = 0; done < rules.length; ) {
    const rest = rules.slice(done);
    const [first] = rest;
    if (first?.mode === "snapshot") {
      const generation = await snapshots.restore(first, context);
      if (generation) restored.push(generation);
      done += 1;
      continue;
    }
    const until = rest.findIndex(({ mode }) => mode === "snapshot");
    const together = until === -1 ? rest : rest.slice(0, until);
    for (const [path, state] of await transfers.download(together, context)) known.set(path, state);
    done += together.length;
  }
  return { known, restored };
}
