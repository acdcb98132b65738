import { expect, onTestFinished, test } from "vitest";
import { createApiClient } from "../src/api/client.ts";
import type { LeasedJob } from "../src/api/work.ts";
import { createClock } from "../src/clock.ts";
import { leaseOf } from "../src/lease/lease.ts";
import { Renewals } from "../src/lease/renewal.ts";
import { createLog } from "../src/log.ts";
import { timings } from "../src/timings.ts";
import { ApiServer, type Call } from "./api-server.ts";

const identity = { machine_id: "machine", container_group_id: "group" };

async function setup() {
  const server = await ApiServer.start();
  const client = createApiClient(server.url, {});
  let delayMs = 0;
  const clock = createClock({
    monotonicMs: () => performance.now() + delayMs,
    bootMs: () => undefined,
    wallMs: () => 0,
  });
  const log = createLog({ level: "silent" });
  const renewals = new Renewals({ client, identity, clock, log, timings: { ...timings, retryFirstMs: 5 } });
  const over = new AbortController();
  const running = renewals.run(over.signal);
  onTestFinished(async () => {
    over.abort();
    await running;
    server.stop();
  });
  return {
    server,
    renewals,
    pass(durationMs: number) {
      delayMs += durationMs;
    },
    async claim() {
      server.submit({});
      const answer = await fetch(
        `${server.url}/work?machine_id=machine&container_group_id=group&claim_id=${Math.random()}`,
      );
      const [job] = (await answer.json()) as LeasedJob[];
      if (!job) throw new Error("nothing to claim");
      return leaseOf(job, { clock, tickMs: 1000, maxUntrustedMs: 3_600_000 });
    },
  };
}

const renews = (call: Call, count: number) => call.route === "renew" && call.body.leases.length === count;

test("a second lease is renewed at once, in one call with the first", async () => {
  const { server, renewals, claim } = await setup();
  const first = await claim();
  renewals.hold(first);
  await first.trust.ready();
  const second = await claim();
  renewals.hold(second);
  await second.trust.ready();
  await server.until((call) => renews(call, 2));
});

test("failed renewals are repeated soon, many times within the term", async () => {
  const { server, renewals, claim } = await setup();
  let failures = 0;
  server.fault = (call) => (call.route === "renew" && failures++ < 4 ? "unreachable" : undefined);
  const lease = await claim();
  renewals.hold(lease);
  await lease.trust.ready();
  expect(failures).toBe(5);
});

test("one superseded lease does not touch the other", async () => {
  const { server, renewals, claim } = await setup();
  const lost = await claim();
  const kept = await claim();
  server.supersede(lost.jobId);
  renewals.hold(lost);
  renewals.hold(kept);
  await kept.trust.ready();
  await expect(lost.trust.ready()).rejects.toThrow("superseded");
  const before = server.calls.length;
  renewals.renewNow();
  await server.until((call) => server.calls.indexOf(call) >= before && renews(call, 1));
});

test("a lease let go is renewed no more", async () => {
  const { server, renewals, claim } = await setup();
  const [done, kept] = [await claim(), await claim()];
  renewals.hold(done);
  renewals.hold(kept);
  await Promise.all([done.trust.ready(), kept.trust.ready()]);
  renewals.letGo(done);
  const before = server.calls.length;
  renewals.renewNow();
  const call = await server.until((call) => server.calls.indexOf(call) >= before);
  expect(call).toMatchObject({ body: { leases: [{ job_id: kept.jobId }] } });
});

test("a renewal whose answer took longer than the term gives no trust: the term counts from its sending", async () => {
  const { server, renewals, pass, claim } = await setup();
  let renewed = 0;
  server.fault = (call) => {
    if (call.route === "renew" && renewed++ === 0) pass(60_000);
    return undefined;
  };
  const lease = await claim();
  renewals.hold(lease);
  await server.until((call) => call.route === "renew");
  const ready = lease.trust.ready().then(() => renewed);
  renewals.renewNow();
  expect(await ready).toBe(2);
});
