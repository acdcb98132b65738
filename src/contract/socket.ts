/**
 * The agent's socket (`GET /agents/socket`): JSON texts in both directions, all of them hints (docs/sockets.md). What is
 * not understood is ignored, so that either side may be newer than the other.
 */
import { z } from "zod";
import { RefusalReason } from "./errors.ts";
import { limits } from "./limits.ts";
import { Id, text } from "./text.ts";

/** How an agent introduces itself when it opens its socket. */
export const SocketQuery = z.object({
  machine_id: Id.describe("The node that asks"),
  container_group_id: Id.describe("The queue, and the node's group"),
  instance_id: Id.optional().describe("The container instance on that node"),
  agent_id: Id.optional().describe(
    "Chosen by the agent, one for its life: a new socket takes the place of its old one. A machine may run several agents",
  ),
});
export type SocketQuery = z.infer<typeof SocketQuery>;

/**
 * - `wake`: there may be work: claim. Sent once for each `waiting`.
 * - `ended`: that attempt's lease has ended: renew at once, whose answer alone counts.
 * - `reallocate`: ask SaladCloud for another node, with this reason, once nothing runs here any more. A machine that is still there after 5 minutes
 *   may be exchanged by the API whatever it runs, last uploads excepted.
 * - `drain`: claim no more, finish what runs. `resume`: claim again. One of them is the first message of each socket.
 */
export const ServerMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("wake") }),
  z.object({
    type: z.literal("ended"),
    job_id: z.uuid(),
    attempt: z.int().min(1),
    reason: RefusalReason.optional().catch(undefined).describe("For people; the renewal tells the real one"),
  }),
  z.object({ type: z.literal("reallocate"), reason: text(limits.reasonChars).min(1) }),
  z.object({ type: z.literal("drain") }),
  z.object({ type: z.literal("resume") }),
]);
export type ServerMessage = z.infer<typeof ServerMessage>;

/**
 * - `waiting`: found no work, wants to be woken.
 * - `busy`: does not want to be woken; a `wake` that it has not used goes to another agent.
 */
export const AgentMessage = z.discriminatedUnion("type", [
  z.object({ type: z.literal("waiting") }),
  z.object({ type: z.literal("busy") }),
]);
export type AgentMessage = z.infer<typeof AgentMessage>;

/** What keeps a socket alive, outside of JSON: the platform answers these very texts without waking the group's object. */
export const socketPing = "ping";
export const socketPong = "pong";
