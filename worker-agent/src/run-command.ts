/**
 * Runs an attempt's command to its end, which may be before its time: when the agent stops, when a mirror can bring up nothing
 * more, when a bound of the job is reached (stoppers.ts), and when the lease has ended.
 */
import { constants } from "node:os";
import type { Attempt, AttemptSettings } from "./attempt.ts";
import { checkGoesOn, type Ending } from "./ending.ts";
import { type JudgedExit, judgeExit } from "./exit-cause.ts";
import { reasonOf } from "./log.ts";
import { unlessAborted } from "./pause.ts";
import { type Start, startCommand } from "./process.ts";
import { stoppersOf } from "./stoppers.ts";
import { surround } from "./surroundings.ts";
import type { Mirror } from "./transfer/ports.ts";

export interface Run {
  ok: true;
  exit: JudgedExit;
  /** Why it was told to end, as its ending's error (ending.ts); undefined: it ended by itself. */
  interrupted: Error | undefined;
}

export type FailedStart = Extract<Start, { ok: false }>;

export interface CommandContext {
  mirrors: Mirror[];
  environment: NodeJS.ProcessEnv;
  /** Of the job's rules; absolute. */
  directories: string[];
}

/** @throws LeaseEnded when the lease ended while it ran; nothing of the command is left then either. */
export async function runCommand(
  attempt: Attempt,
  settings: AttemptSettings,
  { mirrors, environment, directories }: CommandContext,
): Promise<Run | FailedStart> {
  const { job, lease, log } = attempt;
  const { memory, shutdown, workdir } = settings;
  checkGoesOn(lease, shutdown.stopping);
  const surroundings = await surround(attempt, settings, environment);
  try {
    // That took a moment. The agent's own bound on its end knows only the grace of commands that ran when it was told to stop.
    checkGoesOn(lease, shutdown.stopping);
  } catch (error) {
    surroundings.logs?.pipes.failed();
    await surroundings.end();
    throw error;
  }
  const graceMs = job.stop_grace_seconds * 1000;
  const ungrace = shutdown.expectGrace(graceMs);
  const oomKillsBefore = memory.oomKills();
  const start = await startCommand({
    command: job.command,
    arguments: job.arguments,
    environment: surroundings.environment,
    workdir,
    runId: attempt.runId,
    output: surroundings.logs?.pipes,
    onSurvivors(survivors) {
      const pids = survivors.map(({ pid }) => pid).join(", ");
      log.error("processes of the command hang in the kernel and cannot be killed", { pids });
    },
  });
  if (!start.ok) {
    ungrace();
    await surroundings.end();
    return start;
  }
  attempt.record.started(start.command.head);
  lease.progress.commandStarted = true;
  log.info("command started", { command: job.command, pid: start.command.groupId });

  const stoppers = stoppersOf(attempt, settings, surroundings.look);
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
  const exit = await judgeExit(
    ended ?? (await start.command.stop(graceMs, job.stop_signal, shutdown.hurry)),
    {
      interrupted: interrupted !== undefined,
      memory,
      oomKillsBefore,
      directories: [workdir, ...directories],
    },
  );
  ungrace();
  lease.progress.uploading = true;
  await surroundings.end();
  tellExit(exit, interrupted, attempt, settings);
  lease.trust.ended.throwIfAborted();
  return { ok: true, exit, interrupted };
}

function tellExit(
  { exitCode, signal, cause }: JudgedExit,
  interrupted: Error | undefined,
  { log, state }: Attempt,
  { stateFile }: AttemptSettings,
): void {
  const signalNumber = signal ? (constants.signals[signal as NodeJS.Signals] ?? 0) : 0;
  state.exitTime = new Date().toISOString();
  state.exitCode = exitCode ?? 128 + signalNumber;
  stateFile.changed();
  log.info("command ended", { exit_code: exitCode, signal, cause, interrupted: interrupted !== undefined });
}

/** A command that could not be started. */
export function endingOfStart({ exitCode, fault, reason }: FailedStart): Ending {
  if (fault === "node") return { end: "released", reason, faulty: true };
  return { end: "failed", exit: { exitCode, signal: null, cause: "not_started" }, reason };
}
