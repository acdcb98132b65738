import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { settings } from "../support/settings.ts";

promise(
  "2",
  "DELETE /jobs/container-groups/:id: {count}; pending jobs are gone, running ones canceled",
  () => {
    it("pending and running are counted, ended ones stay as they are", async () => {
      const queue = openQueue();
      const done = (await queue.submit()).id;
      await queue.claim("m1");
      await queue.completed(done, "m1");
      const running = (await queue.submit()).id;
      await queue.claim("m1");
      const pending = (await queue.submit()).id;

      const answer = await queue.purge();
      expect([answer.status, answer.body.count]).toEqual([200, 2]);
      expectError(await call("GET", `/jobs/${pending}`, { key: queue.key }), 404);
      expect(await queue.job(running)).toMatchObject({ status: "canceled" });
      expect(await queue.job(done)).toMatchObject({ status: "completed" });
      expect((await queue.heartbeat(running, "m1")).body).toMatchObject({ status: "canceled" });
      expect(await queue.claim("m1")).toBeUndefined();
    });

    it("an empty queue: 0", async () => {
      expect((await openQueue().purge()).body).toEqual({ count: 0 });
    });

    it("another user's queue of the same group id is left alone", async () => {
      const queue = openQueue(settings.alice.key);
      const theirs = openQueue(settings.bob.key, queue.group);
      await queue.submit();
      const { id } = await theirs.submit();
      expect((await queue.purge()).body).toEqual({ count: 1 });
      expect(await theirs.job(id)).toMatchObject({ status: "pending" });
    });
  },
);
