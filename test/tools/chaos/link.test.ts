import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Link } from "../../../tools/chaos/network/link.ts";

let server: Server;
let farPort: number;
let link: Link;
/** What the far side has heard, and its connections. */
let heard: string;
let farSockets: Socket[];
const nearSockets: Socket[] = [];

beforeEach(async () => {
  heard = "";
  farSockets = [];
  // Answers each message with itself in capitals.
  server = createServer((socket) => {
    farSockets.push(socket);
    socket.on("error", () => undefined);
    socket.on("data", (data) => {
      heard += data;
      socket.write(String(data).toUpperCase());
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  farPort = (server.address() as AddressInfo).port;
  link = await Link.open(() => farPort);
});
afterEach(async () => {
  for (const socket of nearSockets.splice(0)) socket.destroy();
  await link.close();
  server.close();
});

/** A connection through the link, and what it has been told. */
function call(message: string) {
  const socket = connect(link.port, "127.0.0.1");
  nearSockets.push(socket);
  const near = { socket, told: "", error: "" };
  socket.on("data", (data) => {
    near.told += data;
  });
  socket.on("error", (error: NodeJS.ErrnoException) => {
    near.error = error.code ?? "";
  });
  socket.write(message);
  return near;
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** Whatever could pass has passed: another connection of the same kind, past the link, has been answered. */
async function roundTripBesideTheLink(): Promise<void> {
  const beside = connect(farPort, "127.0.0.1");
  beside.write(".");
  await once(beside, "data");
  beside.destroy();
  heard = heard.replace(".", "");
  await nextTurn();
}

describe("an open link", () => {
  it("passes both ways, and the end of either side", async () => {
    const near = call("hello");
    await until(() => near.told === "HELLO");
    near.socket.end();
    await once(farSockets[0] as Socket, "close");
    await once(near.socket, "close");
  });

  it("passes on that the far side is gone", async () => {
    const near = call("hello");
    await until(() => near.told === "HELLO");
    farSockets[0]?.destroy();
    await once(near.socket, "close");
  });

  it("resets who calls when nobody listens at the far side", async () => {
    server.close();
    const near = call("hello");
    await until(() => near.error !== "");
    expect(near.error).toBe("ECONNRESET");
  });
});

describe("a link that refuses", () => {
  it("resets live connections and new ones, until it is open again", async () => {
    const live = call("one");
    await until(() => live.told === "ONE");
    link.set("refused");
    await until(() => live.error === "ECONNRESET");
    const late = call("two");
    await until(() => late.error !== "");
    expect(heard).toBe("one");
    link.set("open");
    const again = call("three");
    await until(() => again.told === "THREE");
  });
});

describe("a silent link", () => {
  it("takes connections and messages and passes nothing on; later all of it arrives", async () => {
    const live = call("one");
    await until(() => live.told === "ONE");
    link.set("silent");
    live.socket.write(" two");
    const late = call(" three");
    await once(late.socket, "connect");
    await roundTripBesideTheLink();
    expect(heard).toBe("one");
    link.set("open");
    await until(() => live.told === "ONE TWO" && late.told === " THREE");
  });

  it("delivers what was said by somebody who has left meanwhile", async () => {
    link.set("silent");
    const gone = call("late news");
    await once(gone.socket, "connect");
    gone.socket.end();
    await roundTripBesideTheLink();
    link.set("open");
    await until(() => heard === "late news");
  });
});

describe("a deaf link", () => {
  it("passes what is said and holds the answers back", async () => {
    const live = call("one");
    await until(() => live.told === "ONE");
    link.set("deaf");
    live.socket.write(" two");
    const late = call(" three");
    await until(() => heard.includes("two") && heard.includes("three"));
    await roundTripBesideTheLink();
    expect([live.told, late.told]).toEqual(["ONE", ""]);
    link.set("open");
    await until(() => live.told === "ONE TWO" && late.told === " THREE");
  });
});
