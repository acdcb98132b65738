import { expect, it } from "vitest";
import { legacyStorage } from "../support/legacy.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { settings } from "../support/settings.ts";
import { isoTime, uuid } from "../support/wire.ts";

const time = expect.stringMatching(isoTime);
const untouched = {
  ...{ started: null, completed: null, canceled: null, failed: null, heartbeat: null },
  ...{ num_failures: 0, num_heartbeats: 0, machine_id: null, status: "pending" },
};

promise(
  "3",
  "A job's answer has every field; times are ISO 8601 in UTC with milliseconds, null while unset",
  () => {
    it("fresh", async () => {
      const job = await openQueue().submit();
      expect(job).toMatchObject({
        ...untouched,
        ...{ id: expect.stringMatching(uuid), user_id: settings.alice.id, created: time },
      });
    });

    it("the times of its life rise, and only those that apply are set", async () => {
      const queue = openQueue();
      const { id } = await queue.submit();
      await queue.claim("m1");
      await queue.heartbeat(id, "m1");
      await queue.completed(id, "m1");
      const job = await queue.job(id);
      expect(job).toMatchObject({
        ...{ status: "completed", created: time, started: time, heartbeat: time, completed: time },
        ...{ canceled: null, failed: null, machine_id: "m1" },
      });
      const times = [job.created, job.started, job.heartbeat, job.completed];
      expect(times).toEqual(times.toSorted());
    });

    it("with `sync` the six older fields are absent, and the other way round", async () => {
      const queue = openQueue();
      const names = Object.keys(legacyStorage);
      const withSync = await queue.submit();
      expect(Object.keys(withSync).filter((name) => names.includes(name))).toEqual([]);
      const older = await queue.submit({ sync: undefined, ...legacyStorage });
      expect(older).toMatchObject(legacyStorage);
      expect(older).not.toHaveProperty("sync");
    });
  },
);
