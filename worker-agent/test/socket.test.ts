/**
 * The agent and its socket. With one, the agent polls every 45 s and renews 300 s leases every 75 s; a test ends after 30:
 * what comes to pass at all has come by the socket.
 */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { startAgent } from "./agent-under-test.ts";
import { eventually, fileAppears, program, waitForFile } from "./commands.ts";
import type { AgentSocket } from "./socket-server.ts";

type Agent = Awaited<ReturnType<typeof startAgent>>;

/** An agent whose socket is open and who has said that it waits: no claim is under way. */
async function startWaiting(options: Parameters<typeof startAgent>[0] = {}) {
  const agent = await startAgent({ sockets: {}, ...options });
  const socket = await agent.sockets.socket(1);
  await agent.sockets.said(socket, "waiting");
  return { agent, socket };
}

const claimsOf = (agent: Agent) => agent.server.calls.filter(({ route }) => route === "claim").length;
const renewalsOf = (agent: Agent) => agent.server.calls.filter(({ route }) => route === "renew").length;
const linesOf = (agent: Agent, text: string) =>
  agent.lines.filter(({ severity, message }) => severity !== "DEBUG" && message.includes(text)).length;

test("the socket is opened with the credential as a header, and with who we are", async () => {
  const { socket } = await startWaiting({ environment: { SALAD_INSTANCE_ID: "instance-1" } });
  expect(socket.headers["x-kelpie-key"]).toBe("key-of-the-tests");
  expect(socket.path).not.toContain("key-of-the-tests");
  expect(socket.query).toEqual({
    machine_id: "machine-1",
    container_group_id: "group",
    instance_id: "instance-1",
    agent_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
  });
});

describe("wake", () => {
  test("a waiting agent that is woken claims at once, and waits again after the job", async () => {
    const { agent, socket } = await startWaiting();
    const id = agent.server.submit(program(""));
    socket.tell({ type: "wake" });
    await agent.server.report("completed", id);
    await agent.sockets.said(socket, "waiting", 2);
    expect(socket.said).toEqual(["waiting", "waiting"]);
  });

  test("an agent that can be woken hardly polls", async () => {
    // 40 pings take 8 intervals of polling or more.
    const { agent, socket } = await startWaiting({ timings: { socketPingMs: 25 } });
    const claims = claimsOf(agent);
    await agent.sockets.until(() => socket.pings >= 40);
    expect(claimsOf(agent)).toBe(claims);
  });

  test("a wake that comes while a claim is under way is not lost", async () => {
    const { agent, socket } = await startWaiting({ timings: { socketPingMs: 20 } });
    const claims = claimsOf(agent);
    agent.server.fault = async (call) => {
      if (call.route !== "claim" || claimsOf(agent) > claims) return undefined;
      socket.tell({ type: "wake" });
      const pings = socket.pings;
      await agent.sockets.until(() => socket.pings >= pings + 3);
      return undefined;
    };
    socket.tell({ type: "wake" });
    await agent.server.until(() => claimsOf(agent) > claims);
    // That claim has found nothing by now, and no wake follows this job.
    const id = agent.server.submit(program(""));
    await agent.server.report("completed", id);
  });

  test("an agent that is woken while it runs a job says that it is busy", async () => {
    const { agent, socket } = await startWaiting();
    const id = agent.server.submit(
      program(`fs.writeFileSync("started", ""); ${waitForFile(agent.path("go"))}`),
    );
    socket.tell({ type: "wake" });
    await fileAppears(agent.path("started"));
    socket.tell({ type: "wake" });
    await agent.sockets.said(socket, "busy");
    await writeFile(agent.path("go"), "");
    await agent.server.report("completed", id);
  });

  test("an agent that stops waiting for any other reason says that it is busy", async () => {
    const { agent, socket } = await startWaiting();
    agent.shutdown.request();
    await agent.sockets.said(socket, "busy");
    await agent.running;
  });
});

describe("ended", () => {
  async function startRunning() {
    const { agent, socket } = await startWaiting({ timings: { socketPingMs: 25 } });
    agent.server.leaseSeconds = 300;
    const id = agent.server.submit(
      program(`
        process.on("SIGTERM", () => { fs.writeFileSync("interrupted", ""); process.exit(0); });
        fs.writeFileSync("started", "");
        ${waitForFile(agent.path("go"))}
      `),
    );
    socket.tell({ type: "wake" });
    await fileAppears(agent.path("started"));
    return { agent, socket, id };
  }

  test("the agent renews at once, and the renewal's word stops the command", async () => {
    const { agent, socket, id } = await startRunning();
    agent.server.supersede(id, "canceled");
    socket.tell({ type: "ended", job_id: id, attempt: 1, reason: "canceled" });
    expect((await agent.logged("attempt canceled")).severity).toBe("INFO");
    expect(existsSync(agent.path("interrupted"))).toBe(true);
    expect(agent.server.endOf(id)).toBeUndefined();
  });

  test("the socket's word alone stops nothing, and is not asked after for others' leases", async () => {
    const { agent, socket, id } = await startRunning();
    const renewals = renewalsOf(agent);
    socket.tell({ type: "ended", job_id: crypto.randomUUID(), attempt: 1, reason: "canceled" });
    socket.tell({ type: "ended", job_id: id, attempt: 2, reason: "canceled" });
    // Pings go on while those are read, and could be acted upon.
    const pings = socket.pings;
    await agent.sockets.until(() => socket.pings >= pings + 4);
    expect(renewalsOf(agent)).toBe(renewals);
    socket.tell({ type: "ended", job_id: id, attempt: 1, reason: "canceled" });
    await agent.server.until(() => renewalsOf(agent) > renewals);
    await writeFile(agent.path("go"), "");
    await agent.server.report("completed", id);
    expect(existsSync(agent.path("interrupted"))).toBe(false);
    expect(renewalsOf(agent)).toBe(renewals + 1);
  });
});

describe("without a socket", () => {
  test.each([404, 426, 400])(
    "an API that answers %i is polled, asked once and told of once",
    async (status) => {
      const agent = await startAgent({ sockets: { refusal: status } });
      await agent.logged("the API offers no socket");
      const id = agent.server.submit(program(""));
      await agent.server.report("completed", id);
      expect(agent.sockets.refused).toBe(1);
      expect(linesOf(agent, "no socket")).toBe(1);
    },
  );

  test("trouble is retried until there is a socket; meanwhile polling works, and the log is spared", async () => {
    const agent = await startAgent({ sockets: { refusal: 503 } });
    const id = agent.server.submit(program(""));
    await agent.server.report("completed", id);
    await agent.sockets.until(() => agent.sockets.refused >= 4);
    expect(linesOf(agent, "no socket")).toBe(1);
    agent.sockets.refusal = undefined;
    await agent.sockets.said(await agent.sockets.socket(1), "waiting");
  });

  test("KELPIE_SOCKET=false: none is opened", async () => {
    const agent = await startAgent({ sockets: {}, environment: { KELPIE_SOCKET: "false" } });
    const id = agent.server.submit(program(""));
    await agent.server.report("completed", id);
    expect(agent.sockets.sockets).toHaveLength(0);
  });

  test("a socket that died leaves an agent that polls", async () => {
    const { agent, socket } = await startWaiting();
    agent.sockets.refusal = 503;
    const id = agent.server.submit(program(""));
    socket.kill();
    await agent.server.report("completed", id);
  });
});

describe("reconnecting", () => {
  test("a socket that died is replaced, by the same agent, who looks for work and waits", async () => {
    const { agent, socket } = await startWaiting();
    const claims = claimsOf(agent);
    socket.kill();
    const next = await agent.sockets.socket(2);
    expect(next.query.agent_id).toBe(socket.query.agent_id);
    await agent.sockets.said(next, "waiting");
    expect(claimsOf(agent)).toBeGreaterThan(claims);
    const id = agent.server.submit(program(""));
    next.tell({ type: "wake" });
    await agent.server.report("completed", id);
  });

  test("a socket on which pings are answered is kept, one on which they are not is given up", async () => {
    const { agent, socket } = await startWaiting({ timings: { socketPingMs: 50 } });
    await agent.sockets.until(() => socket.pings >= 4);
    expect(agent.sockets.sockets).toHaveLength(1);
    agent.sockets.deaf = true;
    await agent.sockets.socket(2);
    expect((await agent.logged("socket lost")).reason).toBe("a ping was not answered");
  });

  test.each<[string, (socket: AgentSocket) => void]>([
    ["no close frame: the connection was cut", (socket) => socket.kill()],
    ["closed without a code", (socket) => socket.close()],
    ["closed with code 1001", (socket) => socket.close(1001)],
    ["deployed anew", (socket) => socket.close(1012, "deployed anew")],
  ])("a socket that is lost: %s", async (reason, lose) => {
    const { agent, socket } = await startWaiting();
    lose(socket);
    expect((await agent.logged("socket lost")).reason).toBe(reason);
  });

  test("an opening that is never answered is given up", async () => {
    const agent = await startAgent({
      environment: { KELPIE_SOCKET: "true" },
      timings: { socketOpenTimeoutMs: 50 },
      sockets: { refusal: 0 },
    });
    expect((await agent.logged("no socket")).reason).toBe("no answer in time");
  });

  test("what is not understood changes nothing", async () => {
    const { agent, socket } = await startWaiting();
    for (const text of ["", "{", "null", '{"type":"dance"}', `"${"x".repeat(2000)}"`]) socket.tellText(text);
    const id = agent.server.submit(program(""));
    socket.tell({ type: "wake" });
    await agent.server.report("completed", id);
    expect(agent.sockets.sockets).toHaveLength(1);
  });
});

describe("drain", () => {
  test("a drained agent finishes what runs and claims no more, until it shall again", async () => {
    const { agent, socket } = await startWaiting();
    const first = agent.server.submit(
      program(`fs.writeFileSync("started", ""); ${waitForFile(agent.path("go"))}`),
    );
    socket.tell({ type: "wake" });
    await fileAppears(agent.path("started"));
    socket.tell({ type: "drain" });
    await agent.logged("told to claim no more");
    const second = agent.server.submit(program(""));
    const claims = claimsOf(agent);
    await writeFile(agent.path("go"), "");
    await agent.server.report("completed", first);
    await expect.poll(async () => (await agent.state()).jobs.at(-1)?.status, eventually).toBe("completed");
    socket.tell({ type: "wake" });
    await agent.sockets.said(socket, "busy");
    expect(claimsOf(agent)).toBe(claims);
    socket.tell({ type: "resume" });
    await agent.server.report("completed", second);
  });

  test("a drain outlasts a socket, but not for ever", async () => {
    const agent = await startAgent({
      sockets: { greeting: { type: "drain" } },
      timings: { drainForgottenMs: 300, drainLookMs: 20 },
    });
    const socket = await agent.sockets.socket(1);
    await agent.logged("told to claim no more");
    socket.kill();
    await agent.sockets.socket(2);
    const id = agent.server.submit(program(""));
    agent.sockets.refusal = 503;
    (await agent.sockets.socket(2)).kill();
    await agent.server.report("completed", id);
  });
});
