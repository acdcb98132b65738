/**
 * Bad machines (docs/leases.md): when one more attempt fails on a machine, was it the machine? Asked after the end is recorded and before the report is
 * answered; whatever goes wrong here changes nothing about that end.
 */
import { readBetterElsewhere } from "../db/leases/better-elsewhere.ts";
import { judgeMachine, patienceMs, repeatMs } from "../domain/reallocation.ts";
import type { GroupContext } from "./context.ts";
import type { Reallocation } from "./machines.ts";
import type { AgentStatus, BadMachine } from "./protocol.ts";

/** Why this machine, which has just failed this job, shall ask for its exchange; null: it need not. */
export async function reallocationOf(
  ctx: GroupContext,
  machineId: string,
  jobId: string,
): Promise<string | null> {
  const { machines, ports } = ctx;
  const failed = machines.failuresOf(machineId, ports.nowMs()).filter((failure) => failure.jobId !== jobId);
  const judge = (betterElsewhere: number | null) => {
    const nowMs = ports.nowMs();
    const told = machines.reallocations(nowMs);
    const machinesSeen = machines.countSeen(nowMs);
    return judgeMachine({ machineId, failedJobs: failed.length, betterElsewhere, told, machinesSeen }, nowMs);
  };

  const before = judge(null);
  if (before === "machine_told") return toldLately(ctx, machineId);
  if (before !== "ask") return null;
  let better: number;
  try {
    const [records] = await ports.d1.batch([readBetterElsewhere(machineId, failed)]);
    better = records?.length ?? 0;
  } catch (error) {
    ports.log({ severity: "warning", event: "machine_unjudged", jobId, detail: `${machineId}: ${error}` });
    return null;
  }
  // Judged again: while D1 was read, another machine may have been told, or this one by another report.
  const verdict = judge(better);
  if (verdict === "machine_told") return toldLately(ctx, machineId);
  if (verdict !== "reallocate") return null;
  const reason = `${better} jobs that failed on this machine in the last 24 hours did better on others`;
  machines.tell(machineId, reason, ports.nowMs());
  ports.agents?.reallocate(machineId, reason);
  ports.log({ severity: "warning", event: "machine_told_to_go", jobId, detail: `${machineId}: ${reason}` });
  return reason;
}

/** The answer that told it may have been lost, or have reached another agent of the machine. */
function toldLately({ machines, ports }: GroupContext, machineId: string): string | null {
  const nowMs = ports.nowMs();
  const told = machines.reallocations(nowMs).find((one) => one.machineId === machineId);
  return told && told.doneMs === null && nowMs - told.toldMs < repeatMs ? told.reason : null;
}

/** Machines that were told to go, could not, and are still here; not while final uploads of theirs go on. */
export function stillHere({ machines, ports }: GroupContext, agents: readonly AgentStatus[]): BadMachine[] {
  const open = machines.reallocations(ports.nowMs()).filter(({ doneMs }) => doneMs === null);
  const isDue = ({ machineId, toldMs }: Reallocation) => {
    const its = agents.filter((agent) => agent.machineId === machineId);
    // Work that is all but done: its end comes within minutes, or its lease's.
    const isUploading = its.some(({ jobs }) => jobs.some(({ uploading }) => uploading));
    return !isUploading && its.some(({ seenMs }) => seenMs >= toldMs + patienceMs);
  };
  return open.filter(isDue).map(({ machineId, reason }) => ({ machineId, reason }));
}
