/** The API: order of the middleware, and what is mounted. */
import { authenticate } from "./middleware/authenticate.ts";
import { crossOrigin } from "./middleware/cross-origin.ts";
import { respondNotFound, respondToError } from "./middleware/errors.ts";
import { requestLog } from "./middleware/request-log.ts";
import { agents } from "./routes/agents/index.ts";
import { checkpoints } from "./routes/checkpoints/index.ts";
import { files } from "./routes/files/index.ts";
import { health } from "./routes/health.ts";
import { jobs } from "./routes/jobs/index.ts";
import { leases } from "./routes/leases/index.ts";
import { createRouter } from "./routes/operation.ts";
import { scalingRules } from "./routes/scaling-rules/index.ts";
import { storage } from "./routes/storage/index.ts";
import { storageObject } from "./routes/storage/object.ts";
import { users } from "./routes/users/index.ts";
import { webhooks } from "./routes/webhooks/index.ts";
import { work } from "./routes/work/index.ts";

/** Assembles the app. Nothing behind `authenticate` is reachable without a credential, known route or not. */
export function createApp() {
  const app = createRouter();
  app.onError(respondToError);
  app.notFound(respondNotFound);

  // The yardstick of the benchmarks: before every middleware. The ratios are to its GET; its POST tells what a body costs on the
  // way here.
  app.on(["GET", "POST"], "/bare", (c) => c.text("bare"));

  app.use(requestLog);
  app.use(crossOrigin);
  app.route("/", health);
  app.route("/", storageObject);

  app.use(authenticate);
  app.route("/", jobs);
  app.route("/", leases);
  app.route("/", work);
  app.route("/", agents);
  app.route("/", checkpoints);
  app.route("/", storage);
  app.route("/", files);
  app.route("/", scalingRules);
  app.route("/", users);
  app.route("/", webhooks);
  return app;
}
