/** A job's webhook, through the whole stack: told at once, signed, listed, and tried again by the cron. */
import { env } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { beforeAll, describe, expect, test, vi } from "vitest";
import type {
  DeliveryList,
  DeliveryPage,
  WebhookSecret,
  WebhookSecretState,
} from "../../../src/contract/index.ts";
import { deliver } from "../../../src/cron/deliver.ts";
import { adminKey, claim, newGroup, send, signUp, submit, tellerOf } from "../http/client.ts";
import { receiver } from "./receiver.ts";

const hook = "https://receiver.test/hook?token=of-its-owner";
const world = receiver();
let key: string;
let stranger: string;
beforeAll(async () => {
  ({ key } = await signUp("told"));
  ({ key: stranger } = await signUp("not-told"));
});
const tell = tellerOf(() => key);

const told = (jobId: string, events: string[]) =>
  vi.waitFor(() => expect(world.of(jobId).map(({ event }) => event)).toEqual(events), 10_000);
const deliveriesOf = async (jobId: string) =>
  (await send<DeliveryList>("GET", `/jobs/${jobId}/deliveries`, { key })).body.deliveries;

/** Everything due now, whenever it is due; the clock is not the test's. */
async function cron(): Promise<void> {
  await env.DB.prepare("UPDATE deliveries SET due = 0 WHERE due IS NOT NULL AND lease_op IS NULL").run();
  await deliver(env);
}

describe("an event", () => {
  test("is told at once, as Kelpie tells it, without any credential", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group, webhook: hook });
    await claim(key, group, "m1");
    await told(id, ["running"]);
    await tell(group, "m1", id, "completed");
    await told(id, ["running", "completed"]);
    const posts = world.received.filter(({ body }) => body.includes(id));
    for (const { url, method, headers, redirect } of posts) {
      expect({ url, method, redirect }).toEqual({ url: hook, method: "POST", redirect: "manual" });
      expect(headers.get("x-kelpie-key")).toBe("");
      expect(headers.get("webhook-id")).toMatch(/^msg_/);
      expect(headers.has("authorization")).toBe(false);
      expect(JSON.stringify([...headers])).not.toContain(key);
    }
    expect(JSON.parse(posts[1]?.body ?? "")).toMatchObject({
      status: "completed",
      job_id: id,
      machine_id: "m1",
      container_group_id: group,
      attempt: 1,
      number: 2,
    });
  });

  test("repeated reports tell it once", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group, webhook: hook });
    await claim(key, group, "m1");
    await tell(group, "m1", id, "completed");
    await tell(group, "m1", id, "completed");
    await told(id, ["running", "completed"]);
    expect(await deliveriesOf(id)).toHaveLength(2);
  });

  test("of a job without webhook is not told", async () => {
    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group });
    await claim(key, group, "m1");
    await tell(group, "m1", id, "completed");
    expect(await deliveriesOf(id)).toEqual([]);
  });

  test("is told on request only: a cancel", async () => {
    const group = newGroup();
    const fields = { container_group_id: group, webhook: hook };
    const silent = await submit(key, fields);
    const asked = await submit(key, { ...fields, webhook_events: ["canceled"] });
    expect(asked.webhook_events).toEqual(["canceled"]);
    for (const { id } of [silent, asked]) await send("DELETE", `/jobs/${id}`, { key });
    await told(asked.id, ["canceled"]);
    expect(await deliveriesOf(silent.id)).toEqual([]);
  });
});

describe("a receiver that fails", () => {
  test("is asked again by the cron, and everything can be read in the list", async () => {
    const group = newGroup();
    const url = "https://failing.test/";
    world.answer = (request) =>
      request.url === url ? new Response("no\0t today", { status: 500 }) : new Response();
    const { id } = await submit(key, { container_group_id: group, webhook: url });
    await claim(key, group, "m1");
    await vi.waitFor(async () => expect((await deliveriesOf(id))[0]?.last_status).toBe(500), 10_000);
    expect(await deliveriesOf(id)).toMatchObject([
      { state: "pending", tries: 1, event: "running", url, last_error: "answered 500: no t today" },
    ]);
    world.answer = () => new Response();
    await cron();
    const [delivery] = await deliveriesOf(id);
    expect(delivery).toMatchObject({ state: "delivered", tries: 2, next_try: null, last_error: null });
    const ids = world.received
      .filter((post) => post.url === url)
      .map(({ headers }) => headers.get("webhook-id"));
    expect(ids).toEqual([delivery?.id, delivery?.id]);
  });

  test("a redirect is not followed, and said", async () => {
    const group = newGroup();
    const url = "https://moved.test/";
    world.answer = () =>
      new Response(null, { status: 302, headers: { location: "https://elsewhere.test/" } });
    const { id } = await submit(key, { container_group_id: group, webhook: url });
    await claim(key, group, "m1");
    await vi.waitFor(async () => expect((await deliveriesOf(id))[0]?.last_status).toBe(302), 10_000);
    expect((await deliveriesOf(id))[0]?.last_error).toContain("redirects are not followed");
    expect(world.received.some((post) => post.url.includes("elsewhere"))).toBe(false);
    world.answer = () => new Response();
  });

  test("a long error body is read to its beginning only", async () => {
    let sent = 0;
    const endless = () =>
      new ReadableStream<Uint8Array>({
        pull(controller) {
          sent += 1024;
          controller.enqueue(new Uint8Array(1024).fill(120));
        },
      });
    const group = newGroup();
    world.answer = () => new Response(endless(), { status: 500 });
    const { id } = await submit(key, { container_group_id: group, webhook: "https://talks.test/" });
    await claim(key, group, "m1");
    await vi.waitFor(async () => expect((await deliveriesOf(id))[0]?.last_status).toBe(500), 10_000);
    expect((await deliveriesOf(id))[0]?.last_error).toHaveLength("answered 500: ".length + 200);
    expect(sent).toBeLessThan(64 * 1024);
    world.answer = () => new Response();
  });
});

describe("the secret", () => {
  const path = "/users/me/webhook-secret";

  test("is shown once, signs, and after a rotation the one before signs too", async () => {
    const none = await send<WebhookSecretState>("GET", path, { key });
    expect(none.body).toEqual({ created: null, previous_until: null });
    const first = await send<WebhookSecret>("POST", path, { key });
    expect(first.status).toBe(201);
    expect(first.body.secret).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
    expect(first.body.previous_until).toBeNull();
    const second = await send<WebhookSecret>("POST", path, { key });
    expect(second.body.secret).not.toBe(first.body.secret);
    const state = await send<WebhookSecretState>("GET", path, { key });
    expect(state.body).toEqual({ created: second.body.created, previous_until: expect.any(String) });
    expect(Date.parse(state.body.previous_until ?? "") - Date.parse(state.body.created ?? "")).toBe(
      86_400_000,
    );

    const group = newGroup();
    const { id } = await submit(key, { container_group_id: group, webhook: hook });
    await claim(key, group, "m1");
    await told(id, ["running"]);
    const post = world.received.find(({ body }) => body.includes(id));
    const headers = Object.fromEntries(post?.headers ?? []);
    for (const { body } of [first, second]) {
      expect(new Webhook(body.secret).verify(post?.body ?? "", headers)).toMatchObject({ job_id: id });
    }
    const others = await send<WebhookSecret>("POST", path, { key: stranger });
    expect(() => new Webhook(others.body.secret).verify(post?.body ?? "", headers)).toThrow();
  });

  test("is nowhere in D1", async () => {
    const { body } = await send<WebhookSecret>("POST", path, { key });
    const { results } = await env.DB.prepare("SELECT * FROM users").all();
    const bytes = body.secret.replace("whsec_", "");
    expect(JSON.stringify(results)).not.toContain(bytes);
    const hex = [...atob(bytes)].map((c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
    expect(JSON.stringify(results)).not.toContain(hex);
  });
});

describe("lists", () => {
  test("of all jobs, newest first, page by page, the owner's own only", async () => {
    const { key: owner } = await signUp("lists");
    const group = newGroup();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) {
      const { id } = await submit(owner, {
        container_group_id: group,
        webhook: hook,
        webhook_events: ["canceled"],
      });
      await send("DELETE", `/jobs/${id}`, { key: owner });
      ids.unshift(id);
    }
    const seen: string[] = [];
    let before: number | null = null;
    for (let page = 0; page < 5; page++) {
      const query: string = before === null ? "" : `&before=${before}`;
      const { body } = await send<DeliveryPage>("GET", `/deliveries?limit=2${query}`, { key: owner });
      expect(body._count).toBe(body.deliveries.length);
      seen.push(...body.deliveries.map(({ job_id }) => job_id));
      before = body.next_before;
      if (before === null) break;
    }
    expect(seen).toEqual(ids);
    expect((await send<DeliveryPage>("GET", "/deliveries", { key: stranger })).body.deliveries).toEqual([]);
    const path = `/jobs/${ids[0]}/deliveries`;
    expect((await send("GET", path, { key: stranger })).status).toBe(404);
    expect((await send("GET", path, { key: adminKey })).status).toBe(200);
    const all = await send<DeliveryPage>("GET", "/deliveries?limit=1000", { key: adminKey });
    expect(all.body.deliveries.map(({ job_id }) => job_id)).toEqual(expect.arrayContaining(ids));
  });

  test.each(["limit=0", "limit=1001", "before=x", "before=0"])(
    "%s is a 400 that names the field",
    async (query) => {
      const { status, body } = await send("GET", `/deliveries?${query}`, { key });
      expect([status, body.field]).toEqual([400, query.split("=")[0]]);
    },
  );
});

describe("what is removed takes its deliveries along", () => {
  const count = async () =>
    (await env.DB.prepare("SELECT COUNT(*) AS n FROM deliveries").first<{ n: number }>())?.n;

  test("a user's with the user, a job's with the job", async () => {
    const group = newGroup();
    const { id } = await submit(adminKey, { container_group_id: group, webhook: hook });
    await claim(adminKey, group, "m1");
    await told(id, ["running"]);
    await send("DELETE", "/users", { key: adminKey });
    expect(await count()).toBe(1);
    await send("DELETE", "/jobs", { key: adminKey });
    expect(await count()).toBe(0);
  });
});
