/**
 * What ended a command, beyond its exit code: memory and disk that ran out look like any other failure, and a person who reads
 * "exit code 1" or "SIGKILL" looks for a mistake in the wrong place. Table: docs/processes.md.
 */
import type { AttemptCause } from "../../src/contract/index.ts";
import type { CgroupMemory } from "./cgroup-memory.ts";
import { findFull } from "./disk-space.ts";
import type { CommandExit } from "./process.ts";

/** An exit with its cause. */
export interface JudgedExit extends CommandExit {
  cause: AttemptCause;
  /** What ran out, in words; undefined: nothing that is known. */
  shortage?: string;
}

export interface ExitCircumstances {
  /** Whether we told it to end: then that is the cause. */
  interrupted: boolean;
  memory: CgroupMemory;
  /** As it was when the command started. */
  oomKillsBefore: number | undefined;
  /** Where the command writes. */
  directories: string[];
}

/** Ask right after the command's end: disk space comes back. */
export async function judgeExit(exit: CommandExit, circumstances: ExitCircumstances): Promise<JudgedExit> {
  const told: JudgedExit = { ...exit, cause: exit.signal === null ? "exit" : "signal" };
  if (circumstances.interrupted || exit.exitCode === 0) return told;
  const { memory, oomKillsBefore, directories } = circumstances;
  const oomKills = memory.oomKills();
  // SIGKILL alone may come from anybody.
  if (oomKills !== undefined && oomKillsBefore !== undefined && oomKills > oomKillsBefore) {
    return { ...told, cause: "out_of_memory", shortage: outOfMemory(memory) };
  }
  const full = await findFull(directories);
  if (full !== undefined) {
    return { ...told, cause: "disk_full", shortage: `no disk space is left at ${full}` };
  }
  return told;
}

function outOfMemory(memory: CgroupMemory): string {
  const limit = memory.limit();
  const bound = limit && ` (${limit.file} is ${Math.round(limit.bytes / 1_048_576)} MiB)`;
  return `the container ran out of memory${bound ?? ""}, and the kernel killed a process of it`;
}
