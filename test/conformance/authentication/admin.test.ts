import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { settings } from "../support/settings.ts";
import type { Job, User } from "../support/wire.ts";

promise("1", "The admin sees all users' jobs", () => {
  it("by id", async () => {
    for (const { key, id } of [settings.alice, settings.bob]) {
      const job = await openQueue(key).submit();
      const seen = await call<Job>("GET", `/jobs/${job.id}`, { key: settings.adminKey });
      expect(seen.body).toMatchObject({ id: job.id, user_id: id });
    }
  });

  it("in lists, of one group id several users'", async () => {
    const queue = openQueue(settings.alice.key);
    const theirs = openQueue(settings.bob.key, queue.group);
    const ids = [(await queue.submit()).id, (await theirs.submit()).id];
    const list = await call<{ jobs: Job[] }>("GET", `/jobs?container_group_id=${queue.group}`, {
      key: settings.adminKey,
    });
    expect(list.body.jobs.map((job) => job.id).sort()).toEqual(ids.sort());
  });

  it("and cancels them", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    expect((await call("DELETE", `/jobs/${id}`, { key: settings.adminKey })).status).toBe(202);
    expect(await queue.job(id)).toMatchObject({ status: "canceled" });
  });

  it("is a user itself", async () => {
    const me = await call<User>("GET", "/users/me", { key: settings.adminKey });
    expect(me.status, me.text).toBe(200);
  });
});
