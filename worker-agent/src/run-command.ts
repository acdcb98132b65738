/**
 * Runs an attempt's command to its end, which may be before its time: when the agent stops, when a mirror can bring up nothing
 * more, when a bound of the job is reached (stoppers.ts), and when the lease has ended.
 */
import { constants } from "node:os";
import type { Attempt, AttemptSettings } from "./attempt.ts";
import type { Ending } from "./ending.ts";
import { reasonOf } from "./log.ts";
import { unlessAborted } from "./pause.ts";
import { type CommandExit, type Start, startCommand } from "./process.ts";
import { stoppersOf } from "./stoppers.ts";
import type { Mirror } from "./transfer/ports.ts";

export interface Run {
  ok: true;
  exit: CommandExit;
  /** Why it was told to end, as its ending's error (ending.ts); undefined: it ended by itself. */
  interrupted: Error | undefined;
}

export type FailedStart = Extract<Start, { ok: false }>;

/** @throws LeaseEnded when the lease ended while it ran; nothing of the command is left then either. */
export async function runCommand(
  attempt: Attempt,
  settings: AttemptSettings,
  mirrors: Mirror[],
  environment: NodeJS.ProcessEnv,
): Promise<Run | FailedStart> {
  const { job, lease, log, state } = attempt;
  const { shutdown } = settings;
  const start = await startCommand({
    command: job.command,
    arguments: job.arguments,
    environment,
    workdir: settings.workdir,
  });
  if (!start.ok) return start;
  lease.progress.commandStarted = true;
  log.info("command started", { command: job.command, pid: start.command.groupId });

  const stoppers = stoppersOf(attempt, settings);
  const interruptions = [
    lease.trust.ended,
    ...mirrors.map(({ broken }) => broken),
    ...stoppers.map(({ signal }) => signal),
    shutdown.stopping,
  ];
  const ended = await unlessAborted(start.command.exited, AbortSignal.any(interruptions));
  const interrupted = ended ? undefined : (interruptions.find(({ aborted }) => aborted)?.reason as Error);
  for (const stopper of stoppers) stopper.release();
  if (interrupted) log.info("interrupting the command", { reason: reasonOf(interrupted) });
  const graceMs = job.stop_grace_seconds * 1000;
  const exit = ended ?? (await start.command.stop(graceMs, job.stop_signal, shutdown.hurry));

  const signalNumber = exit.signal ? (constants.signals[exit.signal as NodeJS.Signals] ?? 0) : 0;
  state.exitTime = new Date().toISOString();
  state.exitCode = exit.exitCode ?? 128 + signalNumber;
  settings.stateFile.changed();
  log.info("command ended", {
    exit_code: exit.exitCode,
    signal: exit.signal,
    interrupted: interrupted !== undefined,
  });
  lease.trust.ended.throwIfAborted();
  return { ok: true, exit, interrupted };
}

/** A command that could not be started. */
export function endingOfStart({ exitCode, fault, reason }: FailedStart): Ending {
  if (fault === "node") return { end: "released", reason, faulty: true };
  return { end: "failed", exit: { exitCode, signal: null }, reason };
}
