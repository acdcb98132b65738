/**
 * Runs a job's command: no shell, in a process group and session of its own. Its end is a value, told once nothing is left of whatever it
 * has started (process-family.ts).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { statSync, writeFileSync } from "node:fs";
import type { StopSignal } from "../../src/contract/index.ts";
import { pause, unlessAborted } from "./pause.ts";
import { type FamilyHead, ProcessFamily } from "./process-family.ts";
import { signalGroup } from "./process-group.ts";
import { type Process, readProcess } from "./process-table.ts";

/** How often an interrupted command is looked at; it rises, since a last checkpoint may take a while. */
const firstLookMs = 20;
const lookEveryMs = 250;

/** When memory runs out, the kernel shall take the command and leave the agent, which tells of it. */
const commandOomScore = "500";

/** The node is out of processes, memory or files. */
const nodeErrnos = ["EAGAIN", "ENOMEM", "EMFILE", "ENFILE"];

export interface CommandExit {
  /** Null when a signal ended it. */
  exitCode: number | null;
  signal: string | null;
}

/** Where what a command writes goes to. */
export interface CommandOutput {
  /** For stdout and stderr, as `spawn` takes them. */
  stdio: [number | "pipe", number | "pipe"];
  /** It runs; called before it can have ended. */
  started(child: ChildProcess): void;
  /** It could not be started. */
  failed(): void;
}

export interface CommandSettings {
  command: string;
  arguments: string[];
  environment: NodeJS.ProcessEnv;
  workdir: string;
  /** Default: where the agent's own goes to. */
  output?: CommandOutput;
  /** Marks whatever the command starts, as `KELPIE_RUN_ID` in its environment. Unique, and nothing else's. Default: a random one. */
  runId?: string;
  /** Told of processes that not even SIGKILL has ended. */
  onSurvivors?(survivors: Process[]): void;
}

export type Start =
  | { ok: true; command: RunningCommand }
  /** `exitCode` is what a shell would say: 127 not found, 126 not executable. `fault`: the node ran out of something. */
  | { ok: false; exitCode: number; fault: "job" | "node"; reason: string };

/** Starts the command. stdin is empty. */
export async function startCommand(settings: CommandSettings): Promise<Start> {
  const { runId = randomUUID() } = settings;
  try {
    const child = spawn(settings.command, settings.arguments, {
      cwd: settings.workdir,
      env: { ...settings.environment, KELPIE_RUN_ID: runId },
      detached: true,
      stdio: ["ignore", ...(settings.output?.stdio ?? (["inherit", "inherit"] as const))],
    });
    const exited = new Promise<CommandExit>((resolve) =>
      child.once("exit", (exitCode, signal) => resolve({ exitCode, signal })),
    );
    // At once: nobody has reaped it yet, so the pid is surely still its own.
    const head = { pid: child.pid ?? 0, start: readProcess(child.pid ?? 0)?.start ?? 0 };
    await spawned(child);
    settings.output?.started(child);
    offerToOomKiller(head.pid);
    return { ok: true, command: new RunningCommand(head, runId, exited, settings.onSurvivors) };
  } catch (error) {
    settings.output?.failed();
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "ENOENT" && isGone(settings.workdir)) {
      const reason = `the command could not be started: the working directory ${settings.workdir} is gone`;
      return { ok: false, exitCode: 126, fault: "node", reason };
    }
    return {
      ok: false,
      exitCode: code === "ENOENT" ? 127 : 126,
      fault: nodeErrnos.includes(code) ? "node" : "job",
      reason: `the command could not be started: ${(error as Error).message}`,
    };
  }
}

/** An earlier job may have removed it; the system would say then that the command is not there. */
function isGone(workdir: string): boolean {
  return statSync(workdir, { throwIfNoEntry: false }) === undefined;
}

function spawned(child: ChildProcess): Promise<void> {
  return new Promise((resolve, reject) => {
    child.once("spawn", resolve);
    child.on("error", reject);
  });
}

function offerToOomKiller(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, commandOomScore);
  } catch {
    // Not Linux, or it has ended: then nothing is to be chosen.
  }
}

export class RunningCommand {
  /** Leader of the command's group and session. */
  readonly head: FamilyHead;
  /** Resolves once the command and all that it has started have ended. */
  readonly exited: Promise<CommandExit>;
  readonly #family: ProcessFamily;
  readonly #onSurvivors: (survivors: Process[]) => void;
  #stopping = false;
  /** The grace is over. */
  #killing = new AbortController();
  #killed: Promise<number> | undefined;
  #hung = Promise.withResolvers<CommandExit>();

  constructor(
    head: FamilyHead,
    runId: string,
    childExited: Promise<CommandExit>,
    onSurvivors: (survivors: Process[]) => void = () => undefined,
  ) {
    this.head = head;
    this.#family = new ProcessFamily(runId, head);
    this.#onSurvivors = onSurvivors;
    const over = new AbortController();
    void this.#family.watch(over.signal);
    const ended = childExited.then(async (exit) => {
      over.abort();
      // Leftovers of a command that ended by itself are nobody's; of an interrupted one, they may be
      // the very program whose last checkpoint we wait for (a shell in front of it dies first).
      if (this.#stopping) await this.#familyEnded();
      await this.#kill();
      return exit;
    });
    this.exited = Promise.race([ended, this.#hung.promise]);
  }

  get groupId(): number {
    return this.head.pid;
  }

  /**
   * The signal to the command's group, and to whoever is left outside of it once the group has ended; SIGKILL to all after the grace
   * or when hurried. Resolves when nothing is left, or hangs in the kernel.
   */
  async stop(graceMs: number, signal: StopSignal = "SIGTERM", hurry?: AbortSignal): Promise<CommandExit> {
    this.#stopping = true;
    const ended = new AbortController();
    void this.exited.then(() => ended.abort());
    signalGroup(this.groupId, signal);
    // A stopped process (SIGSTOP) acts on it only once it goes on.
    signalGroup(this.groupId, "SIGCONT");
    void this.#tellThoseOutside(signal, AbortSignal.any([ended.signal, this.#killing.signal]));
    await pause(graceMs, AbortSignal.any(hurry ? [ended.signal, hurry] : [ended.signal]));
    this.#killing.abort();
    // The command itself may hang in the kernel, and then never exits.
    if (!ended.signal.aborted && (await this.#kill()) > 0) {
      await unlessAborted(pause(1_000), ended.signal);
      this.#hung.resolve({ exitCode: null, signal: "SIGKILL" });
    }
    return this.exited;
  }

  /** Who has left the group is told by those in it, as far as they care to; once they are gone, by us. */
  async #tellThoseOutside(signal: StopSignal, over: AbortSignal): Promise<void> {
    for await (const members of this.#looks(over)) {
      if (members.some(({ group }) => group === this.groupId)) continue;
      this.#family.signal(members, signal);
      this.#family.signal(members, "SIGCONT");
      return;
    }
  }

  /** Resolves when no member lives, or the grace is over. */
  async #familyEnded(): Promise<void> {
    for await (const members of this.#looks(this.#killing.signal)) {
      if (members.length === 0) return;
    }
    while (!this.#killing.signal.aborted && this.#family.isAlive())
      await pause(lookEveryMs, this.#killing.signal);
  }

  /** The living members, again and again until the signal aborts; none where there is no /proc. */
  async *#looks(over: AbortSignal): AsyncGenerator<Process[]> {
    for (let waitMs = firstLookMs; !over.aborted; waitMs = Math.min(1.5 * waitMs, lookEveryMs)) {
      const members = this.#family.look();
      if (members === undefined) return;
      yield members;
      if (!(await pause(waitMs, over))) return;
    }
  }

  /** How many are left. */
  #kill(): Promise<number> {
    this.#killed ??= this.#family.kill().then((survivors) => {
      if (survivors.length > 0) this.#onSurvivors(survivors);
      return survivors.length;
    });
    return this.#killed;
  }
}
