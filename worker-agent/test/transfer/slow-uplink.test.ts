/** A home computer's uplink: uploads that take longer than a lease, and share the line with its renewals. */
import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { createApiClient } from "../../src/api/client.ts";
import { createClock } from "../../src/clock.ts";
import type { Lease } from "../../src/lease/lease.ts";
import { Renewals } from "../../src/lease/renewal.ts";
import { Trust } from "../../src/lease/trust.ts";
import { createLog } from "../../src/log.ts";
import { AttemptProgress } from "../../src/progress/attempt-progress.ts";
import { timings } from "../../src/timings.ts";
import { createTransfers } from "../../src/transfer/transfers.ts";
import { quick, setUpContext } from "./bench.ts";
import { FaultProxy } from "./fault-proxy.ts";
import { identity } from "./managed-bench.ts";
import { ManagedServer } from "./managed-server.ts";

test("uploads that take longer than a term go through while renewals go on", async () => {
  const server = await ManagedServer.start();
  onTestFinished(() => server.close());
  const line = await FaultProxy.before(server.url);
  onTestFinished(() => line.close());
  server.objectOrigin = line.url;
  server.leaseSeconds = 8;
  line.uplinkBytesPerSecond = 1_200_000;

  const api = createApiClient(line.url, {});
  const clock = createClock();
  let lapses = 0;
  const trust = new Trust({ clock, tickMs: 20, maxUntrustedMs: 60_000, onLapse: () => (lapses += 1) });
  const lease: Lease = {
    ...server.lease,
    termMs: server.leaseSeconds * 1000,
    trust,
    progress: new AttemptProgress(),
  };
  const log = createLog({ level: "silent" });
  const renewals = new Renewals({ client: api, identity, clock, log, timings });
  const over = new AbortController();
  const renewing = renewals.run(over.signal);
  renewals.hold(lease);
  onTestFinished(async () => {
    renewals.letGo(lease);
    over.abort();
    await renewing;
  });

  const { context, dir } = await setUpContext(lease);
  const out = join(dir, "out");
  await mkdir(out);
  // Every connection is busy: what is not sent yet stands before each renewal.
  for (let number = 0; number < 6; number += 1)
    await writeFile(join(out, `${number}`), randomBytes(2 * 1024 * 1024));
  const transfers = createTransfers(
    { ...quick, accessKeyId: "", secretAccessKey: "", tries: 1 },
    { api, identity },
  );
  await trust.ready();
  lapses = 0;
  const beganMs = performance.now();
  const renewedBefore = server.seen("renew").length;
  const rule = { prefix: "out/", local_path: "out", direction: "upload" } as const;
  await transfers.upload(rule, out, { ...context, gate: trust });
  const tookMs = performance.now() - beganMs;
  const renewed = server.seen("renew").length - renewedBefore;
  console.info(`12 MiB in ${(tookMs / 1000).toFixed(1)} s, ${renewed} renewals, ${lapses} lapses`);
  expect(tookMs).toBeGreaterThan(server.leaseSeconds * 1000);
  expect(server.recorded.size).toBe(6);
  expect(renewed).toBeGreaterThanOrEqual(3);
  expect(lapses).toBe(0);
});
