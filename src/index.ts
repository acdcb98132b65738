/** What the runtime enters: requests, the minute's cron, the Durable Object. */
import { createApp } from "./app.ts";
import { sweep } from "./cron/sweep.ts";

export { ContainerGroup } from "./group/container-group.ts";

const app = createApp();

export default {
  fetch: app.fetch,
  scheduled: async (_controller, env) => {
    await sweep(env);
  },
} satisfies ExportedHandler<Env>;
