import { createHmac } from "node:crypto";
import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { needReceiver, promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { openReceiver } from "../support/receiver.ts";
import { settings } from "../support/settings.ts";

promise("8", "Webhooks are signed as Standard Webhooks are, and never carry a credential", () => {
  it("the signature is that of id, time and body with the user's secret", async (context) => {
    needReceiver(context);
    const { key } = settings.bob;
    const made = await call<{ secret: string }>("POST", "/users/me/webhook-secret", { key });
    expect(made.body.secret).toMatch(/^whsec_/);
    const secret = Buffer.from(made.body.secret.slice("whsec_".length), "base64");

    await using receiver = await openReceiver();
    const queue = openQueue(key);
    const { id } = await queue.submit({ webhook: receiver.url });
    await queue.claim("m1");
    await queue.completed(id, "m1");
    const { headers, raw } = await receiver.received("completed");
    const signed = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${raw}`;
    const expected = `v1,${createHmac("sha256", secret).update(signed).digest("base64")}`;
    expect(String(headers["webhook-signature"]).split(" ")).toContain(expected);
    expect(headers["x-kelpie-key"]).toBe("");
    expect(JSON.stringify(headers) + raw).not.toContain(key);
  });
});
