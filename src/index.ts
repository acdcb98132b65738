/** What the runtime enters: requests, the minute's cron, the Durable Objects. */
import { createApp } from "./app.ts";
import { deliver } from "./cron/deliver.ts";
import { purge } from "./cron/purge.ts";
import { scale } from "./cron/scale.ts";
import { sweep } from "./cron/sweep.ts";
import { sweepStorage } from "./cron/sweep-storage.ts";

export { ContainerGroup } from "./group/container-group.ts";
export { SaladDesk } from "./scaling/salad-desk.ts";

const app = createApp();

export default {
  fetch: app.fetch,
  scheduled: async (_controller, env) => {
    // Side by side: none waits for another, nor falls with it. The runtime hears of the first failure afterwards.
    const outcomes = await Promise.allSettled([
      sweep(env),
      sweepStorage(env),
      deliver(env),
      purge(env),
      scale(env),
    ]);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  },
} satisfies ExportedHandler<Env>;
