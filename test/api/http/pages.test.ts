/** Lists by cursor: complete, as cheap in the deep as at the start, and bounded in bytes. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { type Job, type JobList, limits } from "../../../src/contract/index.ts";
import { type ListedRecord, listJobs } from "../../../src/db/jobs/list.ts";
import { prepare } from "../../../src/db/prepare.ts";
import { adminKey, claim, send, signUp, submission } from "./client.ts";

let alice: { id: string; key: string };
/** 60 jobs in batches of 20, each batch of one moment; every third in group b; some claimed, some canceled. */
let queued: Job[];

beforeAll(async () => {
  alice = await signUp("pages");
  const other = await signUp("other pages");
  queued = [];
  for (let batch = 0; batch < 3; batch++) {
    const body = Array.from({ length: 20 }, (_, index) =>
      submission({ container_group_id: index % 3 === 0 ? "b" : "a", command: `${batch} ${index}` }),
    );
    queued.push(...(await send<Job[]>("POST", "/jobs/batch", { key: alice.key, body })).body);
    await send("POST", "/jobs", { key: other.key, body: submission({ command: "other's" }) });
    // Batches of different moments.
    while (Date.now() <= Date.parse(queued.at(-1)?.created ?? ""))
      await new Promise((done) => setTimeout(done, 1));
  }
  for (const machine of ["m1", "m1", "m2"]) expect(await claim(alice.key, "b", machine)).toHaveLength(1);
  for (const job of queued.filter((_, index) => index % 7 === 5)) {
    await send("DELETE", `/jobs/${job.id}`, { key: alice.key });
  }
});

async function listed(query: string, key = alice.key): Promise<JobList> {
  const { status, body } = await send<JobList>("GET", `/jobs?${query}`, { key });
  expect(status, JSON.stringify(body)).toBe(200);
  expect(body._count).toBe(body.jobs.length);
  return body;
}

async function pagesOf(query: string, key = alice.key): Promise<Job[][]> {
  const pages: Job[][] = [];
  let cursor = "";
  do {
    const page = await listed(`${query}${cursor}`, key);
    pages.push(page.jobs);
    cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
    expect(pages.length).toBeLessThan(100);
  } while (cursor !== "");
  return pages;
}
const ids = (jobs: Job[]) => jobs.map((job) => job.id);

describe("pages by cursor", () => {
  test.each([
    "",
    "asc=true",
    "status=pending",
    "status=pending,canceled",
    "status=pending&status=running&status=canceled",
    "status=pending,running,completed,failed&asc=true",
    "status=pending,running,completed,failed,canceled",
    "container_group_id=a",
    "container_group_id=b&status=running,canceled&asc=true",
    "machine_id=m1",
    "machine_id=m1&status=running,pending&container_group_id=b",
    "created_after=AFTER&created_before=BEFORE",
    "created_after=AFTER&status=pending,canceled&container_group_id=a&asc=true",
  ])("put together, are the whole list, without a job twice: %s", async (template) => {
    const times = { AFTER: queued[20]?.created, BEFORE: queued[40]?.created };
    const query = template.replace("AFTER", times.AFTER ?? "").replace("BEFORE", times.BEFORE ?? "");
    const whole = await listed(`${query}&page_size=1000`);
    expect(whole.next_cursor).toBeNull();
    const asked = new URLSearchParams(query);
    const statuses = asked.getAll("status").flatMap((value) => value.split(","));
    const fitting = whole.jobs.filter(
      (job) =>
        (statuses.length === 0 || statuses.includes(job.status)) &&
        [null, job.container_group_id].includes(asked.get("container_group_id")) &&
        [null, job.machine_id].includes(asked.get("machine_id")) &&
        job.created >= (asked.get("created_after") ?? "") &&
        job.created < (asked.get("created_before") ?? "9"),
    );
    expect(whole.jobs.length).toBeGreaterThan(0);
    expect(fitting).toEqual(whole.jobs);
    for (const size of [1, 7]) {
      const pages = await pagesOf(`${query}&page_size=${size}`);
      for (const page of pages.slice(0, -1)) expect(page).toHaveLength(size);
      expect(ids(pages.flat())).toEqual(ids(whole.jobs));
    }
  });

  test("are the order of submission, also inside a batch", async () => {
    expect(ids((await pagesOf("asc=true&page_size=9")).flat())).toEqual(ids(queued));
    expect(ids((await pagesOf("page_size=9")).flat())).toEqual(ids(queued).reverse());
  });

  test("go on where they were while jobs come and go", async () => {
    const first = await listed("page_size=5&container_group_id=a");
    await send("POST", "/jobs", {
      key: alice.key,
      body: submission({ container_group_id: "a", command: "new" }),
    });
    const second = await listed(`page_size=5&container_group_id=a&cursor=${first.next_cursor}`);
    const rest = queued.filter((job) => job.container_group_id === "a").reverse();
    expect(ids([...first.jobs, ...second.jobs])).toEqual(ids(rest.slice(0, 10)));
  });

  test("list everybody's jobs for the admin", async () => {
    const whole = await listed("page_size=1000&asc=true", adminKey);
    expect(whole.jobs.some((job) => job.user_id !== alice.id)).toBe(true);
    expect(ids((await pagesOf("page_size=8&asc=true", adminKey)).flat())).toEqual(ids(whole.jobs));
    const running = await pagesOf("page_size=1&status=running,canceled", adminKey);
    expect(running.flat().length).toBeGreaterThan(3);
  });

  test("read as many rows of the database in the deep as at the start", async () => {
    const rowsRead = async (statuses: ("pending" | "canceled")[] | undefined, index: number) => {
      const job = queued[index];
      const seqOf = { sql: "SELECT seq FROM jobs WHERE id = ?1", params: [job?.id] };
      const found = await prepare(env.DB, seqOf).first<{ seq: number }>();
      const after = { createdMs: Date.parse(job?.created ?? ""), seq: found?.seq ?? 0 };
      const page = { ascending: true, limit: 3, offset: 0, maxBytes: 1_000_000, after };
      const filter = { userId: alice.id, statuses };
      const { results, meta } = await prepare(env.DB, listJobs(filter, page)).all<ListedRecord>();
      expect(results).toHaveLength(3);
      return meta.rows_read;
    };
    // Inside the batch that all 20 of share a moment, and in the last one.
    const first = await rowsRead(undefined, 0);
    for (const index of [10, 15, 41, 55]) expect(await rowsRead(undefined, index)).toBeLessThanOrEqual(first);
    const byStatus = await rowsRead(["pending", "canceled"], 20);
    expect(await rowsRead(["pending", "canceled"], 50)).toBeLessThanOrEqual(byStatus + 6);
  });
});

describe("a cursor is refused with 400, naming it,", () => {
  test.each(["x", "bm90IGpzb24", btoa("[1,2,3]"), btoa('["abcdefabcdef",-1,2]'), "%00", "a".repeat(300)])(
    "when it is none: %s",
    async (cursor) => {
      const { status, body } = await send("GET", `/jobs?cursor=${cursor}`, { key: alice.key });
      expect([status, body.field]).toEqual([400, "cursor"]);
    },
  );

  test("when it is of a list with other filters, another order or another user", async () => {
    const { next_cursor } = await listed("page_size=2&status=pending,canceled");
    expect(await listed(`page_size=5&status=canceled,pending&cursor=${next_cursor}`)).toBeDefined();
    const other = await signUp("cursor thief");
    for (const [query, key] of [
      ["status=pending", alice.key],
      ["status=pending,canceled&asc=true", alice.key],
      ["status=pending,canceled&container_group_id=a", alice.key],
      ["status=pending,canceled&machine_id=m1", alice.key],
      ["status=pending,canceled&created_after=2020-01-01T00:00:00Z", alice.key],
      ["status=pending,canceled", other.key],
    ] as const) {
      const { status, body } = await send("GET", `/jobs?${query}&cursor=${next_cursor}`, { key });
      expect([query, status, body.field]).toEqual([query, 400, "cursor"]);
    }
  });

  test("and beside a page it is the page that is named", async () => {
    const { next_cursor } = await listed("page_size=2");
    const { status, body } = await send("GET", `/jobs?page_size=2&page=2&cursor=${next_cursor}`, {
      key: alice.key,
    });
    expect([status, body.field]).toEqual([400, "page"]);
  });
});

describe("480 jobs of 240 KB gave 115 MB at once; now", () => {
  let heavy: { id: string; key: string };
  let heavyIds: string[];
  beforeAll(async () => {
    heavy = await signUp("heavy");
    heavyIds = [];
    for (let batch = 0; batch < 2; batch++) {
      const environment = { A: "x".repeat(99_000), B: "y".repeat(99_000), C: "z".repeat(42_000) };
      const body = Array.from({ length: 30 }, (_, index) => submission({ command: `${index}`, environment }));
      const { status, body: jobs } = await send<Job[]>("POST", "/jobs/batch", { key: heavy.key, body });
      expect(status).toBe(202);
      heavyIds.push(...ids(jobs));
    }
  }, 60_000);

  test("a page by cursor ends before it holds more than 8 MiB, and the pages are complete", async () => {
    const first = await listed("page_size=1&asc=true", heavy.key);
    const second = await listed(`page_size=1000&asc=true&cursor=${first.next_cursor}`, heavy.key);
    const perPage = Math.ceil(limits.pageBytes / 240_000);
    expect(second.jobs.length).toBeLessThanOrEqual(perPage);
    expect(second.jobs.length).toBeGreaterThan(perPage / 2);
    expect(second.next_cursor).not.toBeNull();
    const rest = await listed(`page_size=1000&asc=true&cursor=${second.next_cursor}`, heavy.key);
    expect(ids([...first.jobs, ...second.jobs, ...rest.jobs])).toEqual(heavyIds);
    expect(rest.next_cursor).toBeNull();
  });

  test("who counts pages misses no job: such a page is whole, read in bites while it is sent", async () => {
    const whole = await listed("page_size=55&asc=true&page=1", heavy.key);
    expect(ids(whole.jobs)).toEqual(heavyIds.slice(0, 55));
    expect(ids((await listed("page_size=55&asc=true&page=2", heavy.key)).jobs)).toEqual(heavyIds.slice(55));
    const next = await listed(`page_size=55&asc=true&cursor=${whole.next_cursor}`, heavy.key);
    expect(ids(next.jobs)).toEqual(heavyIds.slice(55));
    const everything = await listed("page_size=1000", heavy.key);
    expect([ids(everything.jobs), everything.next_cursor]).toEqual([[...heavyIds].reverse(), null]);
  }, 30_000);

  test("one statement never answers more than the bound and one job", async () => {
    const page = { ascending: true, limit: 1000, offset: 0, maxBytes: 1_000_000 };
    const { results } = await prepare(env.DB, listJobs({ userId: heavy.id }, page)).all<ListedRecord>();
    expect(results.length).toBe(5);
    const tiny = { ...page, maxBytes: 1 };
    expect((await prepare(env.DB, listJobs({ userId: heavy.id }, tiny)).all()).results).toHaveLength(1);
  });
});
