/** How long each fault was felt: until the job went on somewhere else, or until the API answered again. */
import { FaultKind, type FaultRecord } from "../logs/fault-log.ts";
import type { Evidence } from "./evidence.ts";
import type { Grants } from "./grants.ts";
import { answeredWell, isReport } from "./wire.ts";

export interface Recovery {
  injected: number;
  /** Of those, how many came as part of a combined blow. */
  combined: number;
  /** Jobs that had to go on elsewhere: from the fault to the first line of the next attempt's command. */
  recoveredMs: number[];
  /** Jobs that the fault did not cost their node: it was short, or the job was as good as done. */
  riddenOut: number;
}

export function measureRecovery(evidence: Evidence, grants: Grants): Map<FaultKind, Recovery> {
  const kinds = FaultKind.options.map((kind): [FaultKind, Recovery] => [
    kind,
    { injected: 0, combined: 0, recoveredMs: [], riddenOut: 0 },
  ]);
  const recoveries = new Map(kinds);
  const reports = evidence.wire.filter(isReport);
  for (const fault of evidence.faults) {
    const recovery = recoveries.get(fault.kind);
    if (!recovery) continue;
    recovery.injected += 1;
    if (fault.combined) recovery.combined += 1;
    if (fault.node === undefined) {
      const againMs = firstAnswerAfter(fault, evidence);
      if (againMs !== undefined) recovery.recoveredMs.push(againMs - fault.startMs);
      continue;
    }
    for (const held of grants.heldAt(fault.node, fault.startMs, reports)) {
      const later = grants.of(held.job).filter(({ attempt }) => attempt > held.attempt);
      const begun = evidence.log.events.find(
        ({ job, machine, event, time }) =>
          job === held.job &&
          (event === "start" || event === "resume") &&
          later.some(({ node, grantedMs }) => node === machine && time >= grantedMs),
      );
      if (begun) recovery.recoveredMs.push(begun.time - fault.startMs);
      else recovery.riddenOut += 1;
    }
  }
  return recoveries;
}

/** Of the API, to any agent. */
function firstAnswerAfter({ startMs }: FaultRecord, { wire }: Evidence): number | undefined {
  const answers = wire.filter((event) => event.headMs > startMs && answeredWell(event));
  return answers.length > 0 ? Math.min(...answers.map(({ answeredMs }) => answeredMs ?? startMs)) : undefined;
}
