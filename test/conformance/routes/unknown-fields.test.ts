import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

promise("2", "Unknown fields are ignored", () => {
  it("of a job, a report and a query", async () => {
    const queue = openQueue();
    const unknown = { surprise: { deep: [1] }, id: "mine", status: "completed", user_id: "somebody" };
    const { id, status } = await queue.submit(unknown);
    expect(id).not.toBe("mine");
    expect(status).toBe("pending");
    const query = new URLSearchParams({ machine_id: "m1", container_group_id: queue.group, surprise: "1" });
    expect((await call<{ id: string }[]>("GET", `/work?${query}`, { key: queue.key })).body[0]?.id).toBe(id);
    const body = { machine_id: "m1", container_group_id: queue.group, ...unknown };
    expect((await call("POST", `/jobs/${id}/completed`, { key: queue.key, body })).status).toBe(200);
    const list = `/jobs?container_group_id=${queue.group}&surprise=1`;
    expect((await call("GET", list, { key: queue.key })).status).toBe(200);
  });
});
