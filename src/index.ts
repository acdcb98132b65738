/** What the runtime enters: requests, the minute's cron, the Durable Object. */
import { createApp } from "./app.ts";
import { deliver } from "./cron/deliver.ts";
import { sweep } from "./cron/sweep.ts";
import { sweepStorage } from "./cron/sweep-storage.ts";

export { ContainerGroup } from "./group/container-group.ts";

const app = createApp();

export default {
  fetch: app.fetch,
  scheduled: async (_controller, env) => {
    // Side by side: neither waits for the other, nor falls with it. The runtime hears of the first failure afterwards.
    const outcomes = await Promise.allSettled([sweep(env), sweepStorage(env), deliver(env)]);
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  },
} satisfies ExportedHandler<Env>;
