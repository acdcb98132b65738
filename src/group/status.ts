/** Who is there, put together from what the object knows of polls, leases and sockets. */
import type { AgentState } from "../contract/index.ts";
import type { LeaseRow } from "./lease-row.ts";
import type { Poller } from "./polls.ts";
import type { AgentStatus, HeldJob, SocketSeen } from "./protocol.ts";

/** Told at most: a group has 500 replicas, of which one may run several agents. */
export const mostAgents = 1_000;

interface Known {
  seenMs: number;
  sockets: number;
  waits: boolean;
  drained: boolean;
  knowsManaged: boolean;
  jobs: HeldJob[];
}

/** The ones heard of last first. */
export function agentsOf(seen: {
  polls: readonly Poller[];
  leases: readonly LeaseRow[];
  sockets: readonly SocketSeen[];
}): AgentStatus[] {
  const agents = new Map<string, Known>();
  const agentOf = (machineId: string, instanceId: string | null, seenMs: number): Known => {
    const name = JSON.stringify([machineId, instanceId]);
    const known = agents.get(name) ?? {
      seenMs,
      sockets: 0,
      waits: false,
      drained: false,
      knowsManaged: false,
      jobs: [],
    };
    known.seenMs = Math.max(known.seenMs, seenMs);
    agents.set(name, known);
    return known;
  };
  for (const poll of seen.polls) {
    const agent = agentOf(poll.machineId, poll.instanceId, poll.lastMs);
    agent.waits ||= poll.foundNothing;
    agent.knowsManaged ||= poll.hasClaimIds;
  }
  for (const lease of seen.leases) {
    if (lease.machineId === null) continue;
    const agent = agentOf(lease.machineId, lease.instanceId, lease.renewedMs ?? lease.grantedMs);
    agent.knowsManaged ||= lease.token !== null;
    const { jobId, attempt, uploading } = lease;
    agent.jobs.push({ jobId, attempt, uploading });
  }
  for (const socket of seen.sockets) {
    const agent = agentOf(socket.machineId, socket.instanceId, socket.seenMs);
    agent.sockets++;
    agent.waits ||= socket.waits;
    agent.drained ||= socket.drained;
    agent.knowsManaged = true;
  }
  return [...agents]
    .sort(([, one], [, other]) => other.seenMs - one.seenMs)
    .slice(0, mostAgents)
    .map(([name, agent]) => {
      const [machineId, instanceId] = JSON.parse(name) as [string, string | null];
      const { seenMs, sockets, jobs, knowsManaged } = agent;
      return { machineId, instanceId, seenMs, sockets, jobs, knowsManaged, state: stateOf(agent) };
    });
}

function stateOf({ drained, waits, jobs }: Known): AgentState {
  if (drained) return "draining";
  if (waits) return "waiting";
  return jobs.length > 0 ? "busy" : "idle";
}
