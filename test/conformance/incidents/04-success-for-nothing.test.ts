import { randomUUID } from "node:crypto";
import { expect, it } from "vitest";
import { expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { settings } from "../support/settings.ts";

promise(
  "7.4",
  "No success for an unknown or a foreign job; purging a queue with a running job is whole",
  () => {
    it("an unknown job is a 404 to cancel, complete, fail", async () => {
      const queue = openQueue();
      expectError(await queue.cancel(randomUUID()), 404);
      expectError(await queue.completed(randomUUID(), "m1"), 404);
      expectError(await queue.failed(randomUUID(), "m1"), 404);
    });

    it.each(["pending", "running"])("a foreign %s job is a 404, and untouched", async (status) => {
      const queue = openQueue(settings.alice.key);
      const { id } = await queue.submit();
      if (status === "running") await queue.claim("m1");
      const before = await queue.job(id);
      // In his own queue of the same name, as the same machine.
      const stranger = openQueue(settings.bob.key, queue.group);
      expectError(await stranger.cancel(id), 404);
      expectError(await stranger.completed(id, "m1"), 404);
      expectError(await stranger.failed(id, "m1"), 404);
      expectError(await stranger.heartbeat(id, "m1"), 404);
      expect(await queue.job(id)).toEqual(before);
    });

    it("purge, with running, pending and ended jobs: done at once", async () => {
      const queue = openQueue();
      const ids = [];
      for (let n = 0; n < 4; n++) ids.push((await queue.submit()).id);
      await queue.claim("m1");
      await queue.claim("m2");
      const purged = await queue.purge();
      expect([purged.status, purged.body]).toEqual([200, { count: 4 }]);
      expect((await queue.purge()).body).toEqual({ count: 0 });
      expect(await queue.job(ids[0] as string)).toMatchObject({ status: "canceled" });
    });
  },
);
