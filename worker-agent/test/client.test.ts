import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { createApiClient } from "../src/api/client.ts";
import type { Fault } from "../src/api/fault.ts";

async function callAgainst(listener: RequestListener, timeoutMs = 10_000) {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const client = createApiClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    "X-Kelpie-Key": "key",
  });
  return client.call({
    method: "POST",
    path: "/x",
    body: {},
    answer: z.object({ message: z.string() }),
    timeoutMs,
  });
}

const explained = JSON.stringify({ error: "conflict", message: "said by the API", reason: "superseded" });

test.each<[string, number, string, Fault]>([
  ["a conflict in the API's words is final", 409, explained, "refused"],
  ["not found in the API's words is final", 404, explained, "refused"],
  ["not found in a proxy's words says nothing about our job", 404, "<html>", "lost"],
  ["a server error may have been applied", 500, explained, "lost"],
  ["too many requests: later", 429, "", "busy"],
  ["a revoked key: a person may mend it", 401, explained, "unauthorized"],
  ["a request that the API does not understand is not repeated", 400, explained, "invalid"],
  ["a captive portal's page with status 200 is no success", 200, "<html>", "lost"],
  ["an answer of another shape is no success", 200, "{}", "invalid"],
])("%s", async (_incident, status, body, fault) => {
  const answer = await callAgainst((_request, response) => {
    response.writeHead(status).end(body);
  });
  expect(answer).toMatchObject({ ok: false, fault });
});

test("a redirect is not followed: a POST would become a GET, whose success means nothing", async () => {
  const answer = await callAgainst((request, response) => {
    if (request.method === "GET") response.end(JSON.stringify({ message: "welcome" }));
    else response.writeHead(302, { Location: "/welcome" }).end();
  });
  expect(answer).toMatchObject({ ok: false, fault: "lost" });
});

test("a server that never answers is given up in bounded time", async () => {
  expect(await callAgainst(() => undefined, 50)).toMatchObject({ ok: false, fault: "lost" });
});

test("an answer that is far too long is not read to its end, nor believed", async () => {
  const answer = await callAgainst((_request, response) => {
    response.end(`${" ".repeat(17 * 1024 * 1024)}{"message":"welcome"}`);
  });
  const message = expect.stringMatching(/unexpected answer of POST \/x: over 16777216 bytes/);
  expect(answer).toMatchObject({ ok: false, fault: "lost", message });
});

test("a success without a body is none", async () => {
  const answer = await callAgainst((_request, response) => response.writeHead(204).end());
  expect(answer).toMatchObject({ ok: false, fault: "lost" });
});

test("the credentials and the agent's version are told on every call", async () => {
  const answer = await callAgainst((request, response) => {
    const told = `${request.headers["x-kelpie-key"]} ${request.headers["user-agent"]}`;
    response.end(JSON.stringify({ message: told }));
  });
  expect(answer).toMatchObject({
    ok: true,
    value: { message: expect.stringMatching(/^key kelpie-agent\/\d/) },
  });
});
