import type { Bindings } from "../env.ts";
import { deliverDue, type PassReport } from "../webhooks/pass.ts";
import { webhookPorts } from "../webhooks/worker-ports.ts";

/** One pass over the webhooks that are due; says what it did, and never to whom. */
export async function deliver(env: Bindings): Promise<PassReport> {
  const ports = webhookPorts(env);
  const report = await deliverDue(ports);
  const { complete: _, ...counts } = report;
  if (Object.values(counts).some((count) => count > 0)) {
    const severity = report.failed + report.abandoned > 0 || !report.complete ? "warning" : "info";
    ports.log({ severity, event: "deliveries_made", detail: JSON.stringify(report) });
  }
  return report;
}
