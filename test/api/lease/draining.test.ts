/** The incident that made Kelpie infamous, on the real thing: workerd, D1, a Durable Object, HTTP. */
import { expect, test } from "vitest";
import type { ClaimedJob, Job } from "../../../src/contract/index.ts";
import { send, signUp, submission } from "../http/client.ts";

test("32 claimers, 1,000 jobs, 1,000 claims, no job twice", async () => {
  const { key } = await signUp("drainers");
  const jobs = Array.from({ length: 1000 }, (_, i) =>
    submission({ container_group_id: "drained", arguments: [`${i}`] }),
  );
  const { body: queued } = await send<Job[]>("POST", "/jobs/batch", { key, body: jobs });
  const claimed: ClaimedJob[] = [];
  let answers = 0;
  const drain = async (machineId: string) => {
    for (let n = 0; ; n++) {
      const query = `machine_id=${machineId}&container_group_id=drained&claim_id=${machineId}-${n}`;
      const { status, body } = await send<ClaimedJob[]>("GET", `/work?${query}`, { key });
      expect(status).toBe(200);
      if (body.length === 0) return;
      answers++;
      claimed.push(...body);
    }
  };
  await Promise.all(Array.from({ length: 32 }, (_, i) => drain(`machine-${i}`)));
  expect(answers).toBe(1000);
  expect(new Set(claimed.map((job) => job.id))).toEqual(new Set(queued.map((job) => job.id)));
  expect(claimed.every((job) => job.attempt === 1 && job.status === "running")).toBe(true);
  // First in, first out: the first claims are of the first jobs.
  const first = new Set(queued.slice(0, 200).map((job) => job.id));
  expect(claimed.slice(0, 100).every((job) => first.has(job.id))).toBe(true);
}, 60_000);
