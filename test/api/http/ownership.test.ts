/** Whose job it is: nothing succeeds on a job that does not exist or is another user's. */
import { beforeAll, describe, expect, test } from "vitest";
import type { HeartbeatAnswer } from "../../../src/contract/index.ts";
import { adminKey, claim, getJob, newGroup, send, signUp, submit, tellerOf } from "./client.ts";

let key: string;
let stranger: string;
beforeAll(async () => {
  ({ key } = await signUp("owner"));
  ({ key: stranger } = await signUp("stranger"));
});
const tell = tellerOf(() => key);

describe("success for nothing (fault 4)", () => {
  test("canceling a job that does not exist is a 404", async () => {
    expect((await send("DELETE", `/jobs/${crypto.randomUUID()}`, { key })).status).toBe(404);
  });

  test("a stranger's job is a 404 to read, cancel, list its attempts of, beat for and report on", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    const body = { machine_id: "m1", container_group_id: group };
    for (const [method, path] of [
      ["GET", `/jobs/${id}`],
      ["GET", `/jobs/${id}/attempts`],
      ["DELETE", `/jobs/${id}`],
      ["POST", `/jobs/${id}/heartbeat`],
      ["POST", `/jobs/${id}/completed`],
      ["POST", `/jobs/${id}/failed`],
      ["POST", `/jobs/${id}/released`],
    ] as const) {
      const sent = method === "POST" ? { key: stranger, body } : { key: stranger };
      expect([method, path, (await send(method, path, sent)).status]).toEqual([method, path, 404]);
    }
    expect((await getJob(key, id)).status).toBe("pending");
  });

  test("the admin reads and cancels anybody's job", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    await claim(key, group, "m1");
    expect((await getJob(adminKey, id)).status).toBe("running");
    expect((await send("DELETE", `/jobs/${id}`, { key: adminKey })).status).toBe(202);
    expect((await tell<HeartbeatAnswer>(group, "m1", id, "heartbeat")).body.status).toBe("canceled");
  });
});

describe("purge", () => {
  test("with a running job is whole: pending ones are gone, running ones canceled (fault 4)", async () => {
    const group = newGroup();
    const first = await submit(key, { container_group_id: group });
    const second = await submit(key, { container_group_id: group });
    await claim(key, group, "m1");
    const { status, body } = await send<{ count: number }>("DELETE", `/jobs/container-groups/${group}`, {
      key,
    });
    expect(status).toBe(200);
    expect(body).toEqual({ count: 2 });
    expect((await getJob(key, first.id)).status).toBe("canceled");
    expect((await send("GET", `/jobs/${second.id}`, { key })).status).toBe(404);
  });

  test("touches one's own queue only", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    const { body } = await send<{ count: number }>("DELETE", `/jobs/container-groups/${group}`, {
      key: stranger,
    });
    expect(body).toEqual({ count: 0 });
    expect((await getJob(key, id)).status).toBe("pending");
  });

  test("takes a group id with slashes and spaces", async () => {
    const group = "a b/c%ü";
    const { id } = await submit(key, { container_group_id: group });
    const path = `/jobs/container-groups/${encodeURIComponent(group)}`;
    expect((await send<{ count: number }>("DELETE", path, { key })).body).toEqual({ count: 1 });
    expect((await send("GET", `/jobs/${id}`, { key })).status).toBe(404);
  });
});
