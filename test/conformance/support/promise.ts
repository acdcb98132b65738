/** One promise of the contract: a file's only one, and its name in the report. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it, type TestContext } from "vitest";
import { clearQueues } from "./queue.ts";
import { type SaladSettings, settings } from "./settings.ts";

/**
 * `source`: section of the contract, then what it is about. The checks of a promise run side by side, since several wait for
 * leases to end.
 */
export function promise(source: string, says: string, checks: () => void): void {
  describe.concurrent(`${source} · ${says}`, { timeout: 120_000 }, () => {
    afterAll(clearQueues);
    checks();
  });
}

/** A promise that no HTTP request can show. Says where it is held instead, and fails when that is gone. */
export function heldElsewhere(source: string, says: string, why: string, tests: string[]): void {
  promise(source, says, () => {
    it("is held elsewhere", ({ skip }) => {
      const root = join(import.meta.dirname, "../../..");
      expect(tests.filter((path) => !existsSync(join(root, path)))).toEqual([]);
      skip(`${why}: ${tests.join(", ")}`);
    });
  });
}

/** SaladCloud, or the check is not run. */
export function needSalad({ skip }: TestContext): SaladSettings {
  if (settings.salad) return settings.salad;
  return skip("the simulated SaladCloud is not behind this API");
}

/** A receiver of ours that the API can reach, or the check is not run. */
export function needReceiver({ skip }: TestContext): void {
  if (!settings.reachesUs) skip("the API cannot reach a receiver on this machine");
}

/** Leave to clear everything, or the check is not run. */
export function needDestructive({ skip }: TestContext): void {
  if (!settings.destructive) skip("clears everything: only with --destructive");
}
