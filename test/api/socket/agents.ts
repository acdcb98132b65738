/** Agents' sockets as the tests hold them: opened over `fetch` through the whole stack. */
import { runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { expect } from "vitest";
import { type AgentMessage, ServerMessage, socketPing, socketPong } from "../../../src/contract/index.ts";

export interface Connected {
  /** Every message so far, in order, without pongs. */
  messages: ServerMessage[];
  /** The first message, past or future, that has not been taken; takes it. */
  next(): Promise<ServerMessage>;
  say(type: AgentMessage["type"]): void;
  send(text: string): void;
  /** All that the object sent before now has arrived. */
  upToDate(): Promise<void>;
  close(): void;
  closed: Promise<{ code: number; reason: string }>;
}

export const stubOf = (userId: string, group: string) =>
  env.GROUPS.getByName(JSON.stringify([userId, group]));

/** The answer to an agent that would open a socket. */
export function knock(query: Record<string, string>, headers: Record<string, string>): Promise<Response> {
  const url = `https://api.test/agents/socket?${new URLSearchParams(query)}`;
  return exports.default.fetch(new Request(url, { headers }));
}

/** Opens a socket, and has read its first message: that it shall claim. */
export async function connect(
  key: string,
  group: string,
  machine: string,
  more: Record<string, string> = {},
): Promise<Connected> {
  const connected = await open(key, group, machine, more);
  expect(await connected.next()).toEqual({ type: "resume" });
  return connected;
}

export async function open(key: string, group: string, machine: string, more: Record<string, string> = {}) {
  const query = { machine_id: machine, container_group_id: group, ...more };
  const response = await knock(query, { Upgrade: "websocket", "X-Kelpie-Key": key });
  expect(response.status).toBe(101);
  const socket = response.webSocket;
  if (!socket) throw new Error("no socket");
  return connectedOf(socket);
}

function connectedOf(socket: WebSocket): Connected {
  const messages: ServerMessage[] = [];
  const watchers = new Set<() => void>();
  let taken = 0;
  let pongs = 0;
  const until = async (there: () => boolean) => {
    while (!there()) await new Promise<void>((resolve) => watchers.add(resolve));
  };
  // Block bodies: a listener that returns something is warned about.
  socket.addEventListener("message", ({ data }) => {
    if (data === socketPong) pongs++;
    else messages.push(ServerMessage.parse(JSON.parse(String(data))));
    for (const watcher of watchers) watcher();
    watchers.clear();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.addEventListener("close", ({ code, reason }) => {
      resolve({ code, reason });
    });
  });
  socket.accept();
  return {
    messages,
    closed,
    async next() {
      await until(() => messages.length > taken);
      return messages[taken++] as ServerMessage;
    },
    say: (type) => socket.send(JSON.stringify({ type })),
    send: (text) => socket.send(text),
    async upToDate() {
      const before = pongs;
      socket.send(socketPing);
      await until(() => pongs > before);
    },
    close: () => socket.close(),
  };
}

interface Attachment {
  machineId: string;
  waitingSinceMs: number | null;
}

/** What the object keeps of its sockets. */
export function attachmentsOf(userId: string, group: string): Promise<Attachment[]> {
  return runInDurableObject(stubOf(userId, group), (_object, state) =>
    state.getWebSockets().map((socket) => socket.deserializeAttachment() as Attachment),
  );
}

/** The machines that wait, longest first. */
export async function waiting(userId: string, group: string): Promise<string[]> {
  return (await attachmentsOf(userId, group))
    .filter(({ waitingSinceMs }) => waitingSinceMs !== null)
    .sort((a, b) => (a.waitingSinceMs ?? 0) - (b.waitingSinceMs ?? 0))
    .map(({ machineId }) => machineId);
}

/** Says `waiting`, each after the one before it has been heard. */
export async function lineUp(userId: string, group: string, agents: Record<string, Connected>) {
  for (const [machine, agent] of Object.entries(agents)) {
    agent.say("waiting");
    await expect.poll(() => waiting(userId, group)).toContain(machine);
  }
}
