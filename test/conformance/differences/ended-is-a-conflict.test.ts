import { expect, it } from "vitest";
import { expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";

promise(
  "8",
  "Canceling or reporting on an ended job is a 409; a repeat of the report that ended it is a 200",
  () => {
    it("canceled twice", async () => {
      const queue = openQueue();
      const { id } = await queue.submit();
      await queue.cancel(id);
      const before = await queue.job(id);
      expectError(await queue.cancel(id), 409);
      expect(await queue.job(id)).toEqual(before);
    });

    it("the machine that ended it repeats itself; another machine's report of the same is a 409", async () => {
      const queue = openQueue();
      const { id } = await queue.submit();
      await queue.claim("m1");
      await queue.completed(id, "m1");
      expect((await queue.completed(id, "m1")).status).toBe(200);
      expectError(await queue.completed(id, "m2"), 409);
      expectError(await queue.cancel(id), 409);
      expectError(await queue.failed(id, "m1"), 409);
    });
  },
);
