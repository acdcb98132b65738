/**
 * Webhooks end to end: the real API, receivers over real HTTP that are well, fail, hang, redirect, or are not there. Each in a queue of
 * its own, so that no first try waits for another's. The cron is rung by the test.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Delivery, DeliveryList, WebhookSecret } from "../../src/contract/index.ts";
import { type LocalApi, startLocalApi } from "../../tools/local-api.ts";
import { type Client, createClient } from "../../tools/local-client.ts";
import { freePort } from "./url-kinds.ts";

/** The first retry is due within 72 s, and the machine may be busy. */
const testMs = 180_000;

interface Received {
  path: string;
  method: string;
  headers: IncomingHttpHeaders;
  body: string;
}

let directory: string;
let api: LocalApi;
let client: Client;
let receiver: Server;
let receiverUrl: string;
const received: Received[] = [];
/** By path: how it answers. */
const answers = new Map<string, (response: ServerResponse) => void>();

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-webhooks-"));
  receiver = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = request.url ?? "";
    const { method = "", headers } = request;
    received.push({ path, method, headers, body: Buffer.concat(chunks).toString() });
    const answer = answers.get(path);
    if (answer) answer(response);
    else response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, "127.0.0.1", resolve));
  receiverUrl = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}`;
  api = await startLocalApi({ persistTo: join(directory, "api") });
  client = await createClient(api, "webhooks");
});
afterAll(async () => {
  await api?.stop();
  receiver.closeAllConnections();
  receiver.close();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
  const response = await fetch(`${api.url}${path}`, {
    method,
    headers: { "X-Kelpie-Key": client.key },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

/** A job that tells this URL, handed to a machine. Its id. */
async function handOut(group: string, webhook: string): Promise<string> {
  const [job] = await client.submit([{ command: "x", container_group_id: group, sync: {}, webhook }]);
  const claimed = await ask<{ id: string }[]>("GET", `/work?machine_id=m1&container_group_id=${group}`);
  expect(claimed.map(({ id }) => id)).toEqual([job?.id]);
  return job?.id ?? "";
}

/** The deliveries of a job once they are so. */
async function deliveriesOf(id: string, so: (deliveries: Delivery[]) => boolean): Promise<Delivery[]> {
  for (;;) {
    const { deliveries } = await ask<DeliveryList>("GET", `/jobs/${id}/deliveries`);
    if (so(deliveries)) return deliveries;
    await sleep(100);
  }
}
const tried = (deliveries: Delivery[]) => deliveries.some((delivery) => delivery.last_error !== null);

it(
  "a receiver that is well hears of both events, signed, in the form that Kelpie sends",
  async () => {
    const { secret } = await ask<WebhookSecret>("POST", "/users/me/webhook-secret");
    const id = await handOut("well", `${receiverUrl}/well?token=of-its-owner`);
    await ask("POST", `/jobs/${id}/completed`, { machine_id: "m1", container_group_id: "well" });
    await deliveriesOf(id, (all) => all.length === 2 && all.every(({ state }) => state === "delivered"));
    const posts = received.filter(({ body }) => body.includes(id));
    expect(posts.map(({ body }) => JSON.parse(body).status).sort()).toEqual(["completed", "running"]);
    for (const { path, method, headers, body } of posts) {
      expect([method, path]).toEqual(["POST", "/well?token=of-its-owner"]);
      expect(headers["content-type"]).toBe("application/json");
      expect(headers["x-kelpie-key"]).toBe("");
      expect(JSON.parse(body)).toMatchObject({ job_id: id, machine_id: "m1", container_group_id: "well" });
      expect(new Webhook(secret).verify(body, headers as Record<string, string>)).toBeTruthy();
      expect(JSON.stringify(headers)).not.toContain(client.key);
    }
    expect(api.tail(1_000)).not.toContain("of-its-owner");
  },
  testMs,
);

it(
  "one that redirects is not followed",
  async () => {
    answers.set("/moved", (response) =>
      response.writeHead(307, { location: `${receiverUrl}/elsewhere` }).end(),
    );
    const id = await handOut("moved", `${receiverUrl}/moved`);
    const [delivery] = await deliveriesOf(id, tried);
    expect(delivery).toMatchObject({ state: "pending", last_status: 307 });
    expect(delivery?.last_error).toContain("redirects are not followed");
    expect(received.some(({ path }) => path === "/elsewhere")).toBe(false);
  },
  testMs,
);

it(
  "one that hangs is given ten seconds, and what hangs holds up neither reports nor others",
  async () => {
    answers.set("/hangs", () => undefined);
    const id = await handOut("hangs", `${receiverUrl}/hangs`);
    // While it hangs.
    await ask("POST", `/jobs/${id}/completed`, { machine_id: "m1", container_group_id: "hangs" });
    const other = await handOut("others", `${receiverUrl}/other`);
    const [delivered] = await deliveriesOf(other, ([first]) => first?.state === "delivered");
    expect(delivered?.tries).toBe(1);
    const [hanging] = await deliveriesOf(id, tried);
    expect(hanging).toMatchObject({
      state: "pending",
      last_status: null,
      last_error: "no answer within 10 s",
    });
  },
  testMs,
);

it(
  "one that is not there could not be reached; one that fails is asked again by the cron",
  async () => {
    const absent = await handOut("absent", `http://127.0.0.1:${await freePort()}/`);
    expect((await deliveriesOf(absent, tried))[0]?.last_error).toBe("could not be reached");

    answers.set("/fails", (response) => response.writeHead(500).end("out of order"));
    const id = await handOut("fails", `${receiverUrl}/fails`);
    const [failed] = await deliveriesOf(id, tried);
    expect(failed).toMatchObject({ state: "pending", tries: 1, last_error: "answered 500: out of order" });
    answers.delete("/fails");
    const cron = async () => {
      const answer = await fetch(`${api.url}/cdn-cgi/handler/scheduled?cron=*+*+*+*+*`);
      await answer.text();
      await sleep(2_000);
    };
    let delivery = failed;
    while (delivery?.state !== "delivered") {
      await cron();
      [delivery] = (await ask<DeliveryList>("GET", `/jobs/${id}/deliveries`)).deliveries;
    }
    expect(delivery).toMatchObject({ tries: 2, last_status: 204, last_error: null });
    const ids = received.filter(({ path }) => path === "/fails").map(({ headers }) => headers["webhook-id"]);
    expect(ids).toEqual([delivery.id, delivery.id]);
  },
  testMs,
);
