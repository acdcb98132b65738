/** Snapshots for tests where they are beside the point. */
import type { Snapshots } from "../src/snapshot/ports.ts";

export const noSnapshots: Snapshots = {
  async restore() {
    throw new Error("this test has no snapshots");
  },
  async start() {
    throw new Error("this test has no snapshots");
  },
};
