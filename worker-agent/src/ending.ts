/** How an attempt ends, as a value, by whom its error is to be blamed on (transfer/blame.ts lists what errors mean). */
import { DirectoryRefused } from "./directories.ts";
import { PathBusy } from "./directory-locks.ts";
import type { JudgedExit } from "./exit-cause.ts";
import type { Lease } from "./lease/lease.ts";
import { LeaseEnded } from "./lease/trust.ts";
import { type Log, reasonOf } from "./log.ts";
import { AgentStopping } from "./shutdown.ts";
import { CommandOverrun } from "./stopper.ts";
import { blameOfErrno } from "./transfer/blame.ts";
import { LocalFailure } from "./transfer/failures.ts";
import { TransferError } from "./transfer/ports.ts";

/**
 * - `completed`: the command succeeded and everything is where it belongs.
 * - `failed`: the job's own doing; counts against it and bans this machine for it.
 * - `stalled`, `timed_out`: a bound that the job sets was reached; what each does to the job: docs/leases.md.
 * - `released`: given back without blame. `faulty`: this node or the storage could not run it; pause before the next claim.
 * - `lost`: another attempt may hold the job; report nothing.
 */
export type Ending =
  | { end: "completed"; exit: JudgedExit }
  | { end: "failed"; exit?: JudgedExit; reason: string }
  | { end: "stalled" | "timed_out"; exit?: JudgedExit; reason: string }
  | { end: "released"; exit?: JudgedExit; reason: string; faulty: boolean }
  | { end: "lost"; reason: string };

/** Throws when the attempt must not go on: its lease has ended, or the agent is stopping. */
export function checkGoesOn(lease: Lease, stopping: AbortSignal): void {
  lease.trust.ended.throwIfAborted();
  stopping.throwIfAborted();
}

/**
 * The ending for an error. Trouble with the storage or with this node's hardware gives the job back, since it would have
 * gone well elsewhere or later; what would go wrong everywhere (no such bucket, no permission, a directory that must
 * not be cleared) fails the job, so that it ends instead of travelling from node to node for ever.
 */
export function endingOfError(
  error: unknown,
  context: { lease: Lease; stopping: AbortSignal; log: Log; exit?: JudgedExit },
): Ending {
  const { lease, stopping, log, exit } = context;
  // Whatever was aborted failed because of these; they come first.
  if (lease.trust.ended.aborted) return { end: "lost", reason: reasonOf(lease.trust.ended.reason) };
  if (error instanceof LeaseEnded) return { end: "lost", reason: error.message };
  const reason = reasonOf(error);
  if (error instanceof CommandOverrun) return { end: error.end, exit, reason };
  if (error instanceof AgentStopping) return { end: "released", exit, reason, faulty: false };
  if (stopping.aborted) {
    return { end: "released", exit, reason: `${reasonOf(stopping.reason)}; ${reason}`, faulty: false };
  }
  switch (faultOf(error)) {
    case "config":
      return { end: "failed", exit, reason };
    case "storage":
    case "node":
      return { end: "released", exit, reason, faulty: true };
    case "agent":
      log.error("unexpected error", { reason, stack: error instanceof Error ? error.stack : undefined });
      return { end: "released", exit, reason: `the agent erred: ${reason}`, faulty: true };
  }
}

function faultOf(error: unknown): TransferError["fault"] | "agent" {
  if (error instanceof TransferError) return error.fault;
  if (error instanceof DirectoryRefused) return "config";
  if (error instanceof PathBusy) return "node";
  if (error instanceof LocalFailure) return blameOfErrno(error.code);
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (typeof code !== "string" || typeof syscall !== "string") return "agent";
  return blameOfErrno(code);
}

/** How the command ended, in words. */
export function describeExit({ exitCode, signal, shortage }: JudgedExit): string {
  const end =
    signal === null ? `the command ended with exit code ${exitCode}` : `the command was killed by ${signal}`;
  return shortage === undefined ? end : `${shortage}; ${end}`;
}
