import type { Context } from "hono";
import type { GroupKey } from "../group/protocol.ts";
import type { AppEnv } from "../middleware/app-env.ts";
import { describeError, log } from "../middleware/log.ts";
import { Scaler } from "../scaling/scaler.ts";
import { scalingPorts } from "../scaling/worker-ports.ts";

/** Nobody is there to take a group's jobs: the autoscaler looks at once, if there is a rule. Otherwise the minute's pass does. Never rejects. */
export async function scaleUp(c: Context<AppEnv>, key: GroupKey): Promise<void> {
  try {
    await new Scaler(scalingPorts(c.env)).submitted(key);
  } catch (error) {
    log("warning", "scaling_on_submission_failed", { error: describeError(error) });
  }
}
