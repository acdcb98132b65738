import { expect, test } from "vitest";
import { createApiClient } from "../src/api/client.ts";
import { renewLeases } from "../src/api/leases.ts";
import { claimJob } from "../src/api/work.ts";
import { startServer } from "./agent-process.ts";

const identity = { machine_id: "machine", container_group_id: "group" };
const bounds = { timeoutMs: 10_000 };

async function answers(leaseSeconds: number) {
  const server = await startServer();
  server.leaseSeconds = leaseSeconds;
  const id = server.submit({});
  const client = createApiClient(server.url, {});
  const claim = await claimJob(client, { ...identity, claim_id: "claim" }, bounds);
  const { jobId: job_id, attempt, token: lease_token } = server.firstLease(id);
  const leases = [{ job_id, attempt, lease_token, command_started: false, progress: 0, uploading: false }];
  return { claim, renewal: await renewLeases(client, { ...identity, leases }, bounds) };
}

test.each([0, -1, 1e-9, 3.9, 86_401, 1e300])(
  "a lease of %d s, with which the agent would spin, is no answer of an API",
  async (leaseSeconds) => {
    const { claim, renewal } = await answers(leaseSeconds);
    const invalid = { ok: false, fault: "invalid", message: expect.stringContaining("lease_seconds") };
    expect(claim).toMatchObject(invalid);
    expect(renewal).toMatchObject(invalid);
  },
);

test.each([4, 20, 300, 86_400])("a lease of %d s is one", async (leaseSeconds) => {
  const { claim, renewal } = await answers(leaseSeconds);
  expect(claim).toMatchObject({ ok: true, value: [{ lease_seconds: leaseSeconds }] });
  expect(renewal).toMatchObject({ ok: true, value: { leases: [{ lease_seconds: leaseSeconds }] } });
});
