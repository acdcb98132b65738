/** The client of the metadata service: what it sends, what it believes, and that it is bounded. */
import { execFile } from "node:child_process";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { createImds } from "../src/imds/imds.ts";
import { ImdsServer } from "./imds-server.ts";

const timings = { imdsTimeoutMs: 10_000, imdsTries: 3, imdsRetryMs: 1 };

async function start(changes: Partial<typeof timings> = {}) {
  const server = await ImdsServer.start();
  return { server, imds: createImds({ url: server.url, timings: { ...timings, ...changes } }) };
}

test("each call is as the service wants it, at an address with a path", async () => {
  const { server, imds } = await start();
  server.token = "a.b.c";
  expect(await imds.status()).toEqual({ ok: true, value: { ready: true, started: true } });
  expect(await imds.token()).toEqual({ ok: true, value: "a.b.c" });
  expect((await imds.setDeletionCost(7)).ok).toBe(true);
  expect((await imds.reallocate("x".repeat(3000))).ok).toBe(true);
  expect((await imds.recreate()).ok).toBe(true);
  expect(server.calls).toEqual([
    { what: "GET /v1/token", body: undefined },
    { what: "PUT /v1/deletion-cost", body: { deletion_cost: 7 } },
    { what: "POST /v1/reallocate", body: { reason: "x".repeat(1000) } },
    { what: "POST /v1/recreate", body: undefined },
  ]);
});

test("a proxy in the environment is left alone: it would answer for another node", async () => {
  const server = await ImdsServer.start();
  let throughProxy = 0;
  const proxy = createServer();
  proxy.on("connect", (_request, socket) => {
    throughProxy++;
    // Told so: fetch would try again and again where it is only cut off.
    socket.end("HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n");
  });
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void proxy.close());
  server.token = "of.this.node";
  const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const text = `
    import { createImds } from ${JSON.stringify(new URL("../src/imds/imds.ts", import.meta.url).href)};
    const imds = createImds({ url: ${JSON.stringify(server.url)}, timings: ${JSON.stringify(timings)} });
    const token = await imds.token();
    await fetch(${JSON.stringify(server.url)}).catch(() => undefined);
    process.stdout.write(JSON.stringify(token), () => process.exit(0));
  `;
  const env = {
    ...process.env,
    NODE_USE_ENV_PROXY: "1",
    HTTP_PROXY: address,
    http_proxy: address,
    NO_PROXY: "",
    no_proxy: "",
  };
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", text], {
    env,
  });
  expect(JSON.parse(stdout)).toEqual({ ok: true, value: "of.this.node" });
  // The proxy is in force for everything else: fetch has gone there.
  expect(throughProxy).toBe(1);
});

test("no answer and 5xx are tried again; a refusal is not", async () => {
  const { server, imds } = await start();
  const faults = [503, "reset"] as const;
  server.fault = () => faults[server.calls.length];
  expect((await imds.recreate()).ok).toBe(true);
  expect(server.calls.length).toBe(3);
  server.fault = () => 400;
  expect(await imds.recreate()).toMatchObject({ ok: false, status: 400 });
  server.fault = () => 429;
  expect(await imds.reallocate("why")).toMatchObject({ ok: false, status: 429 });
  expect(server.calls.length).toBe(5);
});

test("a service that never answers is given up in bounded time", async () => {
  const { server, imds } = await start({ imdsTimeoutMs: 20 });
  server.fault = () => "hang";
  expect(await imds.token()).toMatchObject({ ok: false });
  expect(server.calls.length).toBe(3);
});

test("who is not to be answered any more stops asking", async () => {
  const { server, imds } = await start();
  server.fault = () => "hang";
  const over = new AbortController();
  const asked = imds.recreate(over.signal);
  await server.asked("POST /v1/recreate");
  over.abort();
  expect(await asked).toMatchObject({ ok: false });
});

test.each([
  ["a page", "<html>welcome</html>"],
  ["another shape", JSON.stringify({ token: "secret-of-the-node" })],
  ["an endless token", JSON.stringify({ jwt: "secret-of-the-node".repeat(500) })],
  ["a token that is no header", JSON.stringify({ jwt: "secret-of-the-node\r\nX: y" })],
  ["an answer beyond all bounds", JSON.stringify({ jwt: "a.b.c", more: "x".repeat(1_000_000) })],
])("%s is no token, and is quoted nowhere", async (_what, text) => {
  const { server, imds } = await start();
  server.fault = () => ({ text });
  const answer = await imds.token();
  expect(answer.ok).toBe(false);
  expect(JSON.stringify(answer)).not.toContain("secret-of-the-node");
});
