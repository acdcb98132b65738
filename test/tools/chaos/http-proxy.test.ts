import { once } from "node:events";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { WebSocket } from "undici";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Exchange, HttpProxy } from "../../../tools/chaos/network/http-proxy.ts";

let server: Server;
let proxy: HttpProxy;
let handle: (request: IncomingMessage, answer: ServerResponse) => void;
const exchanges: Exchange[] = [];
let onExchange = Promise.withResolvers<Exchange>();

beforeEach(async () => {
  exchanges.length = 0;
  onExchange = Promise.withResolvers();
  handle = (_, answer) => answer.end();
  server = createServer((near, answer) => handle(near, answer));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  proxy = await HttpProxy.open({
    target: () => (server.address() as AddressInfo | null)?.port ?? 9,
    keepBodies: true,
    onExchange(exchange) {
      exchanges.push(exchange);
      onExchange.resolve(exchange);
    },
  });
});
afterEach(async () => {
  await proxy.close();
  server.closeAllConnections();
  server.close();
});

/** A raw connection to the proxy: for requests that no well-behaved client makes. */
function dial(text: string): Socket {
  const socket = connect(proxy.port, "127.0.0.1");
  socket.on("error", () => undefined);
  socket.write(text);
  return socket;
}

const url = (path: string) => `http://127.0.0.1:${proxy.port}${path}`;

it("notes a request and its answer, with both bodies", async () => {
  handle = (near, answer) => {
    near.resume().on("end", () => answer.writeHead(409, { "X-Why": "late" }).end('{"reason":"superseded"}'));
  };
  const answer = await fetch(url("/jobs/1/completed?x=1"), { method: "POST", body: '{"attempt":1}' });
  expect([answer.status, answer.headers.get("x-why"), await answer.text()]).toEqual([
    409,
    "late",
    '{"reason":"superseded"}',
  ]);
  expect(await onExchange.promise).toEqual({
    headMs: expect.any(Number),
    method: "POST",
    path: "/jobs/1/completed?x=1",
    bodyMs: expect.any(Number),
    requestBody: '{"attempt":1}',
    status: 409,
    answeredMs: expect.any(Number),
    responseBody: '{"reason":"superseded"}',
  });
});

it("leaves the Host header and everything else that may be signed as it was", async () => {
  const seen = Promise.withResolvers<IncomingMessage>();
  handle = (near, answer) => {
    seen.resolve(near);
    answer.end();
  };
  const headers = { Host: "storage.example", "X-Amz-Date": "20261124T000000Z", "Content-Length": "0" };
  const call = request(url("/bucket/a%20b?list-type=2"), { method: "PUT", headers });
  call.on("error", () => undefined).end();
  const { headers: arrived, url: path } = await seen.promise;
  expect(path).toBe("/bucket/a%20b?list-type=2");
  expect(arrived).toMatchObject({ host: "storage.example", "x-amz-date": "20261124T000000Z" });
});

it("a server that dies over a request breaks the connection; the request is noted as unanswered", async () => {
  handle = (near) => {
    near.resume().on("end", () => near.socket.destroy());
  };
  await expect(fetch(url("/work"), { method: "POST", body: "{}" })).rejects.toThrow();
  const exchange = await onExchange.promise;
  expect(exchange.bodyMs).toBeDefined();
  expect(exchange).not.toHaveProperty("status");
});

it("half an answer is none", async () => {
  handle = (_, answer) => {
    answer.writeHead(200, { "Content-Length": "100" });
    answer.write("half", () => answer.socket?.destroy());
  };
  await expect(fetch(url("/work")).then((answer) => answer.text())).rejects.toThrow();
  expect(await onExchange.promise).not.toHaveProperty("answeredMs");
});

it("a server that is away is a connection that breaks, and nothing was passed on", async () => {
  server.close();
  await expect(fetch(url("/work"), { method: "POST", body: "{}" })).rejects.toThrow();
  const { bodyMs, status } = await onExchange.promise;
  expect({ bodyMs, status }).toEqual({ bodyMs: undefined, status: undefined });
});

it("the server answers although whoever asked has left, and that is noted", async () => {
  const asked = Promise.withResolvers<ServerResponse>();
  handle = (near, answer) => {
    near.resume().on("end", () => asked.resolve(answer));
  };
  const socket = dial("POST /jobs/1/completed HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
  const answer = await asked.promise;
  socket.destroy();
  await once(socket, "close");
  answer.end("recorded");
  expect(await onExchange.promise).toMatchObject({ status: 200, responseBody: "recorded" });
});

it("a request that is broken off never reaches the server in full", async () => {
  const broken = Promise.withResolvers<void>();
  handle = (near) => {
    near.on("error", () => undefined);
    near.resume().on("close", () => !near.complete && broken.resolve());
  };
  const socket = dial("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf");
  await once(server, "request");
  socket.destroy();
  await broken.promise;
  expect(await onExchange.promise).not.toHaveProperty("bodyMs");
});

it("a head whose body is slow in coming is passed on at once", async () => {
  handle = (near, answer) => void near.resume().on("end", () => answer.end());
  const socket = dial("PUT /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
  await once(server, "request");
  socket.write("body");
  expect(await onExchange.promise).toMatchObject({ method: "PUT", status: 200, requestBody: "body" });
  socket.destroy();
});

it("what is under way when it closes is noted as unanswered", async () => {
  const asked = Promise.withResolvers<void>();
  handle = (near) => void near.resume().on("end", asked.resolve);
  const call = fetch(url("/work"), { method: "POST", body: "{}" }).catch(() => undefined);
  await asked.promise;
  await proxy.close();
  await call;
  expect(exchanges).toHaveLength(1);
  expect(exchanges[0]).not.toHaveProperty("status");
});

it("passes a WebSocket through, both ways, and its refusal", async () => {
  const { createHash } = await import("node:crypto");
  server.once("upgrade", (near: IncomingMessage, socket) => {
    const key = `${near.headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash("sha1").update(key).digest("base64");
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    // A text frame: "hi", unmasked, as servers send it.
    socket.write(Buffer.from([0x81, 2, ...Buffer.from("hi")]));
    socket.once("data", () => socket.end());
  });
  const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/agents/socket`);
  const [message] = await once(socket, "message");
  expect(message.data).toBe("hi");
  socket.send("anything");
  await once(socket, "close");

  server.once("upgrade", (_: IncomingMessage, refused) => {
    refused.end("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  });
  const other = new WebSocket(`ws://127.0.0.1:${proxy.port}/agents/socket`);
  await once(other, "error");
});
