import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import type { Job } from "../support/wire.ts";

const types = [
  "none",
  "text/plain",
  "text/plain;charset=UTF-8",
  "application/x-www-form-urlencoded",
  "application/octet-stream",
  "nonsense",
];

promise("2", "Bodies are JSON whatever the Content-Type says", () => {
  it.each(types)("%s", async (type) => {
    const queue = openQueue();
    const headers: Record<string, string> = type === "none" ? {} : { "Content-Type": type };
    const post = <T>(path: string, body: unknown) =>
      call<T>("POST", path, { key: queue.key, headers, raw: JSON.stringify(body) });

    const submission = { command: "true", container_group_id: queue.group, sync: {} };
    const job = await post<Job>("/jobs", submission);
    expect(job.status, job.text).toBe(202);
    const { id } = job.body;
    await queue.claim("m1");
    const holder = { machine_id: "m1", container_group_id: queue.group };
    expect((await post(`/jobs/${id}/heartbeat`, holder)).body).toMatchObject({ status: "running" });
    expect((await post(`/jobs/${id}/failed`, holder)).status).toBe(202);
    expect((await queue.claim("m2"))?.id).toBe(id);
    expect((await post(`/jobs/${id}/completed`, { ...holder, machine_id: "m2" })).status).toBe(200);
    expect((await post<Job[]>("/jobs/batch", [submission])).status).toBe(202);
  });
});
