import { beforeAll, describe, expect, test } from "vitest";
import type { Job, JobList } from "../../../src/contract/index.ts";
import { adminKey, send, signUp, submission, submit } from "./client.ts";

let alice: { id: string; key: string };
let bob: { id: string; key: string };
/** Alice's jobs in the order in which they were queued: five in group a, five in group b. */
let queued: Job[];

beforeAll(async () => {
  alice = await signUp("alice");
  bob = await signUp("bob");
  const body = Array.from({ length: 10 }, (_, index) =>
    submission({ container_group_id: index % 2 === 0 ? "a" : "b", command: `job ${index}` }),
  );
  queued = (await send<Job[]>("POST", "/jobs/batch", { key: alice.key, body })).body;
  await submit(bob.key, { container_group_id: "a", command: "bob's" });
  const canceled = queued[4];
  expect((await send("DELETE", `/jobs/${canceled?.id}`, { key: alice.key })).status).toBe(202);
});

async function commandsOf(key: string, query: string): Promise<string[]> {
  const { status, body } = await send<JobList>("GET", `/jobs?${query}`, { key });
  expect(status).toBe(200);
  expect(body._count).toBe(body.jobs.length);
  return body.jobs.map((job) => job.command);
}
const named = (...numbers: number[]) => numbers.map((number) => `job ${number}`);

describe("a list", () => {
  test("has the newest first, or the oldest", async () => {
    expect(await commandsOf(alice.key, "")).toEqual(named(9, 8, 7, 6, 5, 4, 3, 2, 1, 0));
    expect(await commandsOf(alice.key, "asc=true")).toEqual(named(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  });

  test("comes in pages; _count is the length of the page", async () => {
    expect(await commandsOf(alice.key, "asc=true&page_size=4")).toEqual(named(0, 1, 2, 3));
    expect(await commandsOf(alice.key, "asc=true&page_size=4&page=3")).toEqual(named(8, 9));
    expect(await commandsOf(alice.key, "asc=true&page_size=4&page=4")).toEqual([]);
  });

  test("is filtered by group, status and both", async () => {
    expect(await commandsOf(alice.key, "asc=true&container_group_id=a")).toEqual(named(0, 2, 4, 6, 8));
    expect(await commandsOf(alice.key, "status=canceled")).toEqual(named(4));
    expect(await commandsOf(alice.key, "asc=true&status=pending&container_group_id=a")).toEqual(
      named(0, 2, 6, 8),
    );
    expect(await commandsOf(alice.key, "container_group_id=c")).toEqual([]);
  });

  test("shows a user's own jobs, and the admin everybody's", async () => {
    expect(await commandsOf(bob.key, "container_group_id=a")).toEqual(["bob's"]);
    expect(await commandsOf(adminKey, "container_group_id=a&asc=true")).toEqual([
      ...named(0, 2, 4, 6, 8),
      "bob's",
    ]);
    expect(await commandsOf(adminKey, "")).toHaveLength(11);
  });
});

describe("page_size=-1 returned everything (fault 16); now a bad query is a 400 that names the parameter", () => {
  test.each([
    ["page_size=-1", "page_size"],
    ["page_size=0", "page_size"],
    ["page_size=1001", "page_size"],
    ["page_size=ten", "page_size"],
    ["page=0", "page"],
    ["page=1.5", "page"],
    ["asc=maybe", "asc"],
    ["status=lost", "status"],
  ])("%s", async (query, field) => {
    const { status, body } = await send("GET", `/jobs?${query}`, { key: alice.key });
    expect(status).toBe(400);
    expect(body).toMatchObject({ error: "invalid_request", field });
  });
});
