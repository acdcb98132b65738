import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { needReceiver, promise } from "../support/promise.ts";
import { openQueue, until } from "../support/queue.ts";
import { openReceiver } from "../support/receiver.ts";

/** The first retry comes after a minute, give or take, with the next minute's cron. */
const retryMs = 180_000;

promise(
  "7.13",
  "Webhooks go to URLs only, are tried again, tell of a cancel on request, and carry no key",
  () => {
    it.each([
      "not a url",
      "",
      "ftp://example.com/x",
      "file:///etc/passwd",
      "javascript:alert(1)",
      "//example.com",
    ])("%j is a 400", async (webhook) => {
      const { key, group } = openQueue();
      const body = { command: "true", container_group_id: group, sync: {}, webhook };
      expectError(await call("POST", "/jobs", { key, body }), 400);
    });

    it("no delivery carries the key", async (context) => {
      needReceiver(context);
      await using receiver = await openReceiver();
      const queue = openQueue();
      const { id } = await queue.submit({ webhook: receiver.url });
      await queue.claim("m1");
      await queue.completed(id, "m1");
      const { headers, raw } = await receiver.received("completed");
      expect(headers["x-kelpie-key"]).toBe("");
      expect(JSON.stringify(receiver.deliveries) + raw).not.toContain(queue.key);
    });

    it("a receiver that fails is told again, with the same id", { timeout: 2 * retryMs }, async (context) => {
      needReceiver(context);
      await using receiver = await openReceiver((n) => (n === 0 ? 500 : 200));
      const queue = openQueue();
      const { id } = await queue.submit({ webhook: receiver.url });
      await queue.cancel(id);
      const running = await queue.submit({ webhook: receiver.url });
      await queue.claim("m1");
      const again = await until(
        "another try",
        async () => {
          const tries = receiver.deliveries.filter(
            ({ body }) => body.job_id === running.id && body.status === "running",
          );
          return tries.length > 1 && tries;
        },
        retryMs,
      );
      expect(new Set(again.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
    });

    it("`webhook_events`: canceled is told when asked for", async (context) => {
      needReceiver(context);
      await using receiver = await openReceiver();
      const queue = openQueue();
      const { id } = await queue.submit({ webhook: receiver.url, webhook_events: ["canceled"] });
      await queue.claim("m1");
      await queue.cancel(id);
      expect((await receiver.received("canceled")).body).toMatchObject({ job_id: id });
      expect(receiver.deliveries).toHaveLength(1);
    });
  },
);
