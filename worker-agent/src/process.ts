/**
 * Runs a job's command: no shell, in a process group of its own, so that interrupting it reaches whatever it
 * started. Its end is a value. What this leaves to others: processes that leave the group on purpose (setsid).
 */
import { type ChildProcess, spawn } from "node:child_process";
import type { StopSignal } from "../../src/contract/index.ts";
import { pause } from "./pause.ts";
import { isGroupAlive, signalGroup } from "./process-group.ts";

export interface CommandExit {
  /** Null when a signal ended it. */
  exitCode: number | null;
  signal: string | null;
}

export interface CommandSettings {
  command: string;
  arguments: string[];
  environment: NodeJS.ProcessEnv;
  workdir: string;
}

export type Start =
  | { ok: true; command: RunningCommand }
  /** `exitCode` is what a shell would say: 127 not found, 126 not executable. `fault`: the node ran out of something. */
  | { ok: false; exitCode: number; fault: "job" | "node"; reason: string };

/** Starts the command. stdout and stderr pass through; stdin is empty. */
export async function startCommand(settings: CommandSettings): Promise<Start> {
  try {
    const child = spawn(settings.command, settings.arguments, {
      cwd: settings.workdir,
      env: settings.environment,
      detached: true,
      stdio: ["ignore", "inherit", "inherit"],
    });
    const exited = new Promise<CommandExit>((resolve) =>
      child.once("exit", (exitCode, signal) => resolve({ exitCode, signal })),
    );
    await spawned(child);
    return { ok: true, command: new RunningCommand(child, exited) };
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "";
    return {
      ok: false,
      exitCode: code === "ENOENT" ? 127 : 126,
      fault: ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE"].includes(code) ? "node" : "job",
      reason: `the command could not be started: ${(error as Error).message}`,
    };
  }
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.on("error", reject);
  });
}

export class RunningCommand {
  readonly groupId: number;
  /** Resolves once the command and all that is left of its group have ended. */
  readonly exited: Promise<CommandExit>;
  #stopping = false;
  #killed = new AbortController();

  constructor(child: ChildProcess, exited: Promise<CommandExit>) {
    this.groupId = child.pid ?? Number.NaN; // it has spawned, so it has one
    this.exited = exited.then(async (exit) => {
      // Leftovers of a command that ended by itself are nobody's; of an interrupted one, they may be
      // the very program whose last checkpoint we wait for (a shell in front of it dies first).
      if (this.#stopping) await this.#groupEnded();
      signalGroup(this.groupId, "SIGKILL");
      return exit;
    });
  }

  /** The signal to the group, SIGKILL after the grace or when hurried. Resolves when nothing of it is left. */
  async stop(graceMs: number, signal: StopSignal = "SIGTERM", hurry?: AbortSignal): Promise<CommandExit> {
    this.#stopping = true;
    signalGroup(this.groupId, signal);
    // A stopped process (SIGSTOP) acts on it only once it goes on.
    signalGroup(this.groupId, "SIGCONT");
    const ended = new AbortController();
    void this.exited.then(() => ended.abort());
    await pause(graceMs, AbortSignal.any(hurry ? [ended.signal, hurry] : [ended.signal]));
    this.#killed.abort();
    if (!ended.signal.aborted) signalGroup(this.groupId, "SIGKILL");
    return this.exited;
  }

  async #groupEnded(): Promise<void> {
    while (isGroupAlive(this.groupId) && (await pause(50, this.#killed.signal)));
  }
}
