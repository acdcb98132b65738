/**
 * The sockets that agents keep to their group (docs/sockets.md): who waits for work, in which order, and what is told to
 * whom. It owns no truth: claims, renewals and reports are plain HTTP, and a message that is lost costs a poll.
 *
 * Sockets hibernate: the object leaves memory and they stay open. What is known of each is its attachment; what is in
 * memory is a copy of that, read anew in each life of the object.
 */

import {
  AgentMessage,
  limits,
  type RefusalReason,
  type ServerMessage,
  SocketQuery,
  socketPing,
  socketPong,
} from "../contract/index.ts";
import { parseJson } from "../http/parse-json.ts";
import { Drained } from "./drained.ts";
import type { AgentsPort } from "./ports.ts";
import type { AgentsApi, SocketSeen } from "./protocol.ts";

/** A group has at most 500 replicas; recipes run up to eight agents in one, but not in all. The platform ends at 32,768. */
export const maxSockets = 2_000;
/** Agents ping every 25 s: three lost, and a fourth on its way. A socket silent for longer leads nowhere. */
const silentMs = 90_000;
/** How long a wake that found too few waiting is kept for agents who are just about to say that they wait. */
const unmetMs = 5_000;
/** A wake is unused if its agent turns out to be busy, or its socket to be dead, within so long. */
const unusedMs = 10_000;

/** What is kept of a socket: well below the platform's 16 KB. */
interface AgentState {
  machineId: string;
  instanceId: string | null;
  agentId: string | null;
  /** Since when it waits, no two the same: their order. Null: it does not want to be woken. */
  waitingSinceMs: number | null;
  /** When it was woken, until it says what came of it. */
  wokenMs: number | null;
  /** When it last said anything but a ping. */
  heardMs: number;
}

export class Sockets implements AgentsPort, AgentsApi {
  readonly #ctx: DurableObjectState;
  readonly #drained: Drained;
  /** Read at first use: renewals need none of it. */
  #agents: Map<WebSocket, AgentState> | null = null;
  /** Wakes that came between an agent's empty claim and its `waiting`. */
  #unmet = { count: 0, untilMs: 0 };
  readonly #mayClaim: (agent: Pick<AgentState, "machineId" | "instanceId">) => boolean;

  /** `mayClaim`: whether a claim of such an agent would not be refused out of hand (grant-hold.ts); else waking it is in vain. */
  constructor(
    ctx: DurableObjectState,
    mayClaim: (agent: Pick<AgentState, "machineId" | "instanceId">) => boolean,
  ) {
    this.#ctx = ctx;
    this.#mayClaim = mayClaim;
    this.#drained = new Drained(ctx.storage);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(socketPing, socketPong));
  }

  /** Opens the socket of an agent; 503 when there are too many. The route has authenticated it and checked its query. */
  accept(request: Request): Response {
    const query = SocketQuery.parse(Object.fromEntries(new URL(request.url).searchParams));
    const agents = this.#all();
    for (const [socket, agent] of agents) {
      const same = query.agent_id !== undefined && agent.agentId === query.agent_id;
      if (same && agent.machineId === query.machine_id) this.#drop(socket, "replaced by a newer one");
    }
    if (agents.size >= maxSockets) this.#dropSilent();
    if (agents.size >= maxSockets) return new Response(null, { status: 503 });

    const { 0: client, 1: server } = new WebSocketPair();
    // No tags: the platform's end at 256 bytes, our ids at 256 characters; and who waits could not be one anyway.
    this.#ctx.acceptWebSocket(server);
    this.#keep(server, {
      machineId: query.machine_id,
      instanceId: query.instance_id ?? null,
      agentId: query.agent_id ?? null,
      waitingSinceMs: null,
      wokenMs: null,
      heardMs: Date.now(),
    });
    send(server, { type: this.#drained.has(query.machine_id) ? "drain" : "resume" });
    return new Response(null, { status: 101, webSocket: client });
  }

  heard(socket: WebSocket, text: string | ArrayBuffer): void {
    const agent = this.#all().get(socket);
    if (!agent) return;
    if (typeof text !== "string" || text.length > limits.socketMessageChars) {
      this.#drop(socket, "not a message of an agent");
      return;
    }
    const message = AgentMessage.safeParse(parseJson(text));
    if (!message.success) return;
    const nowMs = Date.now();
    const heard = { ...agent, heardMs: nowMs, wokenMs: null };
    switch (message.data.type) {
      case "waiting":
        this.#waits(socket, heard, nowMs);
        break;
      case "busy":
        this.#keep(socket, { ...heard, waitingSinceMs: null });
        if (wakeUnused(agent, nowMs)) this.wake(1);
        break;
    }
  }

  closed(socket: WebSocket): void {
    const agent = this.#all().get(socket);
    this.#agents?.delete(socket);
    if (agent && wakeUnused(agent, Date.now())) this.wake(1);
  }

  wake(count: number, lastMachineId: string | null = null): void {
    this.#dropSilent();
    const nowMs = Date.now();
    const waiting = [...this.#all()].filter(([, agent]) => this.#mayWake(agent)).sort(inTurn(lastMachineId));
    let woken = 0;
    for (const [socket] of waiting) {
      if (woken === count) return;
      if (this.#wakeOne(socket, nowMs)) woken++;
    }
    // No more than could be about to say that they wait: each is woken in vain at most once.
    const others = this.#all().size - waiting.length;
    const before = nowMs <= this.#unmet.untilMs ? this.#unmet.count : 0;
    this.#unmet = { count: Math.min(others, before + count - woken), untilMs: nowMs + unmetMs };
  }

  ended(lease: { jobId: string; attempt: number; machineId: string }, reason?: RefusalReason): void {
    const { jobId, attempt, machineId } = lease;
    // Which of a machine's agents holds it, they know themselves.
    this.#tellMachines([machineId], { type: "ended", job_id: jobId, attempt, reason });
  }

  reallocate(machineId: string, reason: string): void {
    this.#tellMachines([machineId], { type: "reallocate", reason });
  }

  async drain(machineIds: string[]): Promise<number> {
    this.#drained.add(machineIds, Date.now());
    return this.#tellMachines(machineIds, { type: "drain" });
  }

  async resume(machineIds: string[]): Promise<number> {
    this.#drained.remove(machineIds);
    return this.#tellMachines(machineIds, { type: "resume" });
  }

  /** The sockets that lead somewhere, for people who look. */
  seen(): SocketSeen[] {
    this.#dropSilent();
    return [...this.#all()].map(([socket, agent]) => ({
      machineId: agent.machineId,
      instanceId: agent.instanceId,
      seenMs: this.#lastMs(socket, agent),
      waits: agent.waitingSinceMs !== null || wakeUnused(agent, Date.now()),
      drained: this.#drained.has(agent.machineId),
    }));
  }

  #tellMachines(machineIds: string[], message: ServerMessage): number {
    const meant = new Set(machineIds);
    const sockets = [...this.#all()].filter(([, { machineId }]) => meant.has(machineId));
    return sockets.filter(([socket]) => send(socket, message)).length;
  }

  #waits(socket: WebSocket, agent: AgentState, nowMs: number): void {
    this.#keep(socket, agent);
    if (this.#unmet.count > 0 && nowMs <= this.#unmet.untilMs && this.#mayWork(agent)) {
      this.#unmet.count--;
      this.#wakeOne(socket, nowMs);
      return;
    }
    // Saying it again does not cost one's place.
    if (agent.waitingSinceMs !== null) return;
    // The clock stands still within an event, and two places must not be the same.
    const latestMs = Math.max(...[...this.#all().values()].map((other) => other.waitingSinceMs ?? 0));
    this.#keep(socket, { ...agent, waitingSinceMs: Math.max(nowMs, latestMs + 1) });
  }

  #mayWake(agent: AgentState): boolean {
    return agent.waitingSinceMs !== null && this.#mayWork(agent);
  }

  #mayWork(agent: AgentState): boolean {
    return !this.#drained.has(agent.machineId) && this.#mayClaim(agent);
  }

  #wakeOne(socket: WebSocket, nowMs: number): boolean {
    const agent = this.#all().get(socket);
    if (!agent || !send(socket, { type: "wake" })) return false;
    this.#keep(socket, { ...agent, waitingSinceMs: null, wokenMs: nowMs });
    return true;
  }

  /** Sockets whose other end is gone without a word. */
  #dropSilent(): void {
    const heardAfterMs = Date.now() - silentMs;
    for (const [socket, agent] of this.#all()) {
      if (this.#lastMs(socket, agent) < heardAfterMs) this.#drop(socket, "silent for too long");
    }
  }

  /** When its other end last said anything, pings included. */
  #lastMs(socket: WebSocket, { heardMs }: AgentState): number {
    return Math.max(heardMs, this.#ctx.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0);
  }

  #drop(socket: WebSocket, why: string): void {
    this.#all().delete(socket);
    // "Policy violation" would sound like a reproach; 1001 is how servers end what has become useless.
    socket.close(1001, why);
  }

  #keep(socket: WebSocket, agent: AgentState): void {
    this.#all().set(socket, agent);
    socket.serializeAttachment(agent);
  }

  #all(): Map<WebSocket, AgentState> {
    this.#agents ??= new Map(
      this.#ctx
        .getWebSockets()
        .map((socket): [WebSocket, AgentState] => [socket, socket.deserializeAttachment()])
        // Accepted in an event that then failed.
        .filter(([, agent]) => agent !== null),
    );
    return this.#agents;
  }
}

function wakeUnused(agent: AgentState, nowMs: number): boolean {
  return agent.wokenMs !== null && nowMs - agent.wokenMs <= unusedMs;
}

/** Longest waiting first; agents of the given machine last. */
function inTurn(lastMachineId: string | null) {
  const rank = ({ machineId }: AgentState) => (machineId === lastMachineId ? 1 : 0);
  return ([, a]: [WebSocket, AgentState], [, b]: [WebSocket, AgentState]) =>
    rank(a) - rank(b) || (a.waitingSinceMs ?? 0) - (b.waitingSinceMs ?? 0);
}

/** Whether it could be sent; a socket that is closing cannot. */
function send(socket: WebSocket, message: ServerMessage): boolean {
  if (socket.readyState !== WebSocket.READY_STATE_OPEN) return false;
  socket.send(JSON.stringify(message));
  return true;
}
