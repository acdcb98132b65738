import { expect, it } from "vitest";
import { needReceiver, promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { openReceiver } from "../support/receiver.ts";

promise(
  "4",
  "On running, completed and failed: POST of {status, job_id, machine_id, container_group_id}",
  () => {
    it("running, then completed", async (context) => {
      needReceiver(context);
      await using receiver = await openReceiver();
      const queue = openQueue();
      const { id } = await queue.submit({ webhook: receiver.url });
      await queue.claim("m1");
      const about = { job_id: id, machine_id: "m1", container_group_id: queue.group };
      const running = await receiver.received("running");
      expect(running.body).toMatchObject({ status: "running", ...about });
      expect(running.headers["content-type"]).toMatch(/^application\/json/);
      expect(running.headers).toHaveProperty("x-kelpie-key");
      await queue.completed(id, "m1");
      expect((await receiver.received("completed")).body).toMatchObject({ status: "completed", ...about });
    });

    it("failed, once the job is", async (context) => {
      needReceiver(context);
      await using receiver = await openReceiver();
      const queue = openQueue();
      const { id } = await queue.submit({ webhook: receiver.url, max_failures: 1 });
      await queue.claim("m1");
      await queue.failed(id, "m1");
      expect((await receiver.received("failed")).body).toMatchObject({
        ...{ status: "failed", job_id: id, machine_id: "m1", container_group_id: queue.group },
      });
    });

    it("a job without a webhook goes its way", async () => {
      const queue = openQueue();
      const { id } = await queue.submit({ webhook: undefined });
      await queue.claim("m1");
      expect((await queue.completed(id, "m1")).status).toBe(200);
    });
  },
);
