import type { Bindings } from "../env.ts";
import type { PassReport } from "../scaling/pass.ts";
import { Scaler } from "../scaling/scaler.ts";
import { scalingPorts } from "../scaling/worker-ports.ts";

/** One pass of the autoscaler over all rules. */
export async function scale(env: Bindings): Promise<PassReport> {
  return await new Scaler(scalingPorts(env)).pass();
}
