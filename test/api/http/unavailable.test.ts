/** What the API answers while groups' objects cannot be reached, or do not know: never a false "no". */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import type { Bindings } from "../../../src/env.ts";
import type { GroupApi, RenewAnswer } from "../../../src/group/protocol.ts";
import { send, signUp, submission, submit } from "./client.ts";

let key: string;
beforeAll(async () => {
  ({ key } = await signUp("waiter"));
});

const lost = () => Promise.reject(new Error("Network connection lost."));

/** The app with an object that answers as given. */
async function sendWithGroup(
  group: Partial<GroupApi>,
  method: string,
  path: string,
  body?: unknown,
): Promise<Response> {
  const bindings: Bindings = { ...env, GROUPS: { getByName: () => group } as unknown as Env["GROUPS"] };
  const request = new Request(`https://api.test${path}`, {
    method,
    headers: { "X-Kelpie-Key": key },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const context = createExecutionContext();
  const response = await createApp().fetch(request, bindings, context);
  await waitOnExecutionContext(context);
  return response;
}

const holder = { machine_id: "m1", container_group_id: "group" };
const unavailable = { ok: false, reason: "unavailable" } as const;

describe("503 with Retry-After, so that agents ask again", () => {
  test.each<[string, Partial<GroupApi>, string, string, unknown?]>([
    ["claim", { claim: async () => unavailable }, "GET", "/work?machine_id=m1&container_group_id=group"],
    ["claim, connection lost", { claim: lost }, "GET", "/work?machine_id=m1&container_group_id=group"],
    ["heartbeat", { renew: async () => [{ status: "unavailable" }] }, "POST", "/jobs/ID/heartbeat", holder],
    ["completed", { settle: async () => unavailable }, "POST", "/jobs/ID/completed", holder],
    ["failed, connection lost", { settle: lost }, "POST", "/jobs/ID/failed", holder],
    ["cancel", { cancel: async () => unavailable }, "DELETE", "/jobs/ID"],
    ["purge", { purge: async () => unavailable }, "DELETE", "/jobs/container-groups/group"],
  ])("%s", async (_name, group, method, path, body) => {
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const { id } = await submit(key);
    const response = await sendWithGroup(group, method, path.replace("ID", id), body);
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({ error: "unavailable" });
    warnings.mockRestore();
  });

  test("one lease of unknown fate: no lease is told canceled for that", async () => {
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const renewals: RenewAnswer[] = [{ status: "running", leaseSeconds: 60 }, { status: "unavailable" }];
    const lease = { job_id: crypto.randomUUID(), attempt: 1, lease_token: "t" };
    const body = { ...holder, leases: [lease, lease] };
    const response = await sendWithGroup({ renew: async () => renewals }, "POST", "/leases/renew", body);
    expect(response.status).toBe(503);
    warnings.mockRestore();
  });
});

describe("goes on without the object", () => {
  test("a submission whose hint got lost is a 202 all the same", async () => {
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const response = await sendWithGroup({ jobsAdded: lost }, "POST", "/jobs", submission());
    expect(response.status).toBe(202);
    expect(JSON.parse(String(warnings.mock.calls[0]?.[0]))).toMatchObject({ event: "jobs_added_hint_lost" });
    warnings.mockRestore();
  });

  test("a running job is shown with D1's heartbeat", async () => {
    const { id } = await submit(key, { container_group_id: "shown" });
    await send("GET", "/work?machine_id=m1&container_group_id=shown", { key });
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const response = await sendWithGroup({ live: lost }, "GET", `/jobs/${id}`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ id, status: "running", heartbeat: expect.any(String) });
    warnings.mockRestore();
  });

  test("a live lease of another attempt is not mixed in", async () => {
    const { id } = await submit(key, { container_group_id: "mixed" });
    await send("GET", "/work?machine_id=m1&container_group_id=mixed", { key });
    const live = (attempt: number) => ({
      live: async () => ({ attempt, heartbeat: 1_000, numHeartbeats: 77, progress: null }),
    });
    const other = await sendWithGroup(live(2), "GET", `/jobs/${id}`);
    expect(await other.json()).not.toMatchObject({ num_heartbeats: 77 });
    const same = await sendWithGroup(live(1), "GET", `/jobs/${id}`);
    expect(await same.json()).toMatchObject({ num_heartbeats: 77, heartbeat: "1970-01-01T00:00:01.000Z" });
  });
});

describe("jobs of a batch tell each of their groups once: the highest priority, and how many", () => {
  test("of several groups", async () => {
    const told: unknown[] = [];
    const jobsAdded: GroupApi["jobsAdded"] = async ({ containerGroupId }, priority, count) => {
      told.push([containerGroupId, priority, count]);
      return { unattended: false };
    };
    const jobs = [
      submission({ container_group_id: "a", priority: -5 }),
      submission({ container_group_id: "b" }),
      submission({ container_group_id: "a", priority: -1 }),
    ];
    await sendWithGroup({ jobsAdded }, "POST", "/jobs/batch", jobs);
    expect(told).toEqual([
      ["a", -1, 2],
      ["b", 0, 1],
    ]);
  });
});
