import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { interrupted, openQueue, shortInterval } from "../support/queue.ts";

// That a job which kills its machines is taken out of the round needs minutes for each machine: test/engine/retry.test.ts.
promise(
  "7.11",
  "A job whose worker fell silent is taken back by the server, without anybody asking for work",
  () => {
    it("it is pending again", async () => {
      const queue = openQueue();
      const { id } = await queue.submit({ heartbeat_interval: shortInterval });
      await queue.claim("silent");
      await interrupted(queue, id);
      expect(await queue.job(id)).toMatchObject({ status: "pending", num_failures: 0 });
    });
  },
);
