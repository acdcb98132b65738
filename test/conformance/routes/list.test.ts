import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue, type Queue } from "../support/queue.ts";
import { settings } from "../support/settings.ts";
import type { Job } from "../support/wire.ts";

interface List {
  _count: number;
  jobs: Job[];
}
async function list(queue: Queue, query: Record<string, string> = {}): Promise<List> {
  const all = new URLSearchParams({ container_group_id: queue.group, ...query });
  const answer = await call<List>("GET", `/jobs?${all}`, { key: queue.key });
  expect(answer.status, answer.text).toBe(200);
  return answer.body;
}
async function submitInTurn(queue: Queue, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let n = 0; n < count; n++) ids.push((await queue.submit()).id);
  return ids;
}
const idsOf = ({ jobs }: List) => jobs.map((job) => job.id);

promise("2", "GET /jobs: {_count, jobs}, filtered, paged, ordered by created", () => {
  it("newest first; `asc=true` oldest first", async () => {
    const queue = openQueue();
    const ids = await submitInTurn(queue, 4);
    expect(idsOf(await list(queue))).toEqual(ids.toReversed());
    expect(idsOf(await list(queue, { asc: "true" }))).toEqual(ids);
    expect(idsOf(await list(queue, { asc: "false" }))).toEqual(ids.toReversed());
  });

  it("`page_size` and `page`, from 1; pages neither overlap nor leave any out; beyond the end is empty", async () => {
    const queue = openQueue();
    const ids = await submitInTurn(queue, 5);
    const pages = [];
    for (const page of ["1", "2", "3", "4"])
      pages.push(await list(queue, { asc: "true", page_size: "2", page }));
    expect(pages.flatMap(idsOf)).toEqual(ids);
    expect(pages.map(({ _count }) => _count)).toEqual([2, 2, 1, 0]);
  });

  it("100 on a page unless said otherwise", async () => {
    const queue = openQueue();
    const batch = Array.from({ length: 101 }, () => ({
      command: "true",
      container_group_id: queue.group,
      sync: {},
    }));
    await call("POST", "/jobs/batch", { key: queue.key, body: batch });
    expect(await list(queue)).toMatchObject({ _count: 100 });
    expect(await list(queue, { page: "2" })).toMatchObject({ _count: 1 });
  });

  it("by `status`", async () => {
    const queue = openQueue();
    const [first, second, third] = await submitInTurn(queue, 3);
    await queue.claim("m1");
    await queue.cancel(third as string);
    expect(idsOf(await list(queue, { status: "running" }))).toEqual([first]);
    expect(idsOf(await list(queue, { status: "pending" }))).toEqual([second]);
    expect(idsOf(await list(queue, { status: "canceled" }))).toEqual([third]);
    expect(await list(queue, { status: "completed" })).toMatchObject({ _count: 0, jobs: [] });
    const query = new URLSearchParams({ status: "asleep" });
    expectError(await call("GET", `/jobs?${query}`, { key: queue.key }), 400);
  });

  it("without a group: those of all groups", async () => {
    const ids = [(await openQueue().submit()).id, (await openQueue().submit()).id];
    const answer = await call<List>("GET", "/jobs?page_size=1000", { key: settings.alice.key });
    expect(idsOf(answer.body)).toEqual(expect.arrayContaining(ids));
    expect(new Set(answer.body.jobs.map((job) => job.user_id))).toEqual(new Set([settings.alice.id]));
  });
});
