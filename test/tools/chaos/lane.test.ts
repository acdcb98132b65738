/** What a lane carries in which time, on a clock that moves only when somebody waits. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { text } from "node:stream/consumers";
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, describe, expect, it } from "vitest";
import { Lane, type LaneClock } from "../../../tools/chaos/network/lane.ts";
import { Link } from "../../../tools/chaos/network/link.ts";

/** Whoever waits sets it forth. */
function newClock() {
  let nowMs = 1_000;
  const clock: LaneClock = {
    nowMs: () => nowMs,
    async sleep(ms, signal) {
      signal.throwIfAborted();
      nowMs += ms;
    },
  };
  return { clock, passed: () => nowMs - 1_000 };
}

describe("a lane", () => {
  it("of 8,000 bit/s carries a byte in a millisecond, and idle time is nobody's credit", () => {
    let nowMs = 0;
    const lane = new Lane(8_000, { nowMs: () => nowMs, sleep: () => Promise.reject(new Error("not here")) });
    expect(lane.send(100)).toBe(100);
    // Whoever else sends waits behind it.
    expect(lane.send(50)).toBe(150);
    nowMs = 140;
    expect(lane.send(10)).toBe(20);
    nowMs = 5_000;
    expect(lane.send(10)).toBe(10);
    expect(lane.bytes).toBe(170);
  });

  it("takes the time for all that passes, also where single packets take none that could be waited for", async () => {
    const { clock, passed } = newClock();
    // A packet takes 1.12 ms.
    const lane = new Lane(10_000_000, clock);
    const way = lane.way();
    const sent = "x".repeat(1_000_000);
    const arrived = text(way);
    way.end(sent);
    expect(await arrived).toBe(sent);
    expect(lane.bytes).toBe(1_000_000);
    expect(passed()).toBeGreaterThan(795);
    expect(passed()).toBeLessThanOrEqual(800);
  });

  it("lets connections take turns", async () => {
    const { clock } = newClock();
    const lane = new Lane(8_000, clock);
    const [upload, heartbeat] = [lane.way(), lane.way()];
    const order: string[] = [];
    upload.on("data", () => order.push("upload"));
    heartbeat.on("data", () => order.push("heartbeat"));
    upload.end("x".repeat(140_000));
    heartbeat.end("renew");
    await Promise.all([once(upload, "end"), once(heartbeat, "end")]);
    expect(order.length).toBe(101);
    expect(order.indexOf("heartbeat")).toBeLessThan(5);
  });

  it("holds a few kilobytes back, and leaves the rest with the sender", async () => {
    const held: AbortSignal[] = [];
    const never = (_ms: number, signal: AbortSignal) => {
      held.push(signal);
      return new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const way = new Lane(8_000, { nowMs: () => 0, sleep: never }).way();
    let written = 0;
    while (way.write("x".repeat(1_000))) written += 1_000;
    expect(written).toBeLessThan(32_000);
    way.destroy();
    await once(way, "close");
    // Nothing waits on.
    expect(held.map(({ aborted }) => aborted)).toEqual([true]);
  });

  it("of nothing is a mistake", () => {
    expect(() => new Lane(0)).toThrow("carries nothing");
    expect(() => new Lane(Number.NaN)).toThrow("carries nothing");
  });
});

describe("a link over lanes", () => {
  let server: Server;
  let link: Link;
  const sockets: Socket[] = [];
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await link.close();
    server.close();
  });

  async function open(answer: string, downClock?: LaneClock) {
    const up = newClock();
    const down = newClock();
    const lanes = { up: new Lane(80_000, up.clock), down: new Lane(800_000, downClock ?? down.clock) };
    const heard: string[] = [];
    server = createServer({ allowHalfOpen: true }, async (socket) => {
      sockets.push(socket);
      socket.on("error", () => undefined);
      heard.push(await text(socket).catch(() => "cut"));
      socket.end(answer);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    link = await Link.open(() => (server.address() as AddressInfo).port, lanes);
    const near = connect({ port: link.port, host: "127.0.0.1", allowHalfOpen: true });
    sockets.push(near);
    return { near, heard, up, down, lanes };
  }

  it("takes each direction's time, and all arrives", async () => {
    const answer = "y".repeat(300_000);
    const { near, heard, up, down, lanes } = await open(answer);
    const question = "x".repeat(100_000);
    near.end(question);
    expect(await text(near)).toBe(answer);
    expect(heard).toEqual([question]);
    expect([lanes.up.bytes, lanes.down.bytes]).toEqual([100_000, 300_000]);
    // 100,000 bytes at 10 a millisecond; 300,000 at 100.
    expect(up.passed()).toBeCloseTo(10_000, 0);
    expect(down.passed()).toBeCloseTo(3_000, 0);
    await once(near, "close");
  });

  it("delivers the last words of a far side that has left meanwhile", async () => {
    // Long enough to be waited for.
    const goodbye = "goodbye ".repeat(100);
    const gate = Promise.withResolvers<void>();
    const { near } = await open(goodbye, { nowMs: () => 0, sleep: () => gate.promise });
    const heard = text(near);
    near.end("hello");
    while (sockets.length < 2) await nextTurn();
    const far = sockets[1] as Socket;
    if (!far.closed) await once(far, "close");
    // Whatever the link could make of that it has: another connection, past it, has been answered.
    const beside = connect((server.address() as AddressInfo).port, "127.0.0.1");
    beside.end();
    await text(beside);
    await nextTurn();
    gate.resolve();
    expect(await heard).toBe(goodbye);
  });

  it("is cut as any other", async () => {
    const { near } = await open("");
    await once(near, "connect");
    const failed = once(near, "error");
    near.write("half of ");
    link.set("refused");
    expect(await failed).toMatchObject([{ code: "ECONNRESET" }]);
  });
});
