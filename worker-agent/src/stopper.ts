/**
 * What may end a running command before it ends by itself, besides cancellation, a broken mirror and the agent's own end:
 * bounds that the job sets for its attempts. A stopper watches from the command's start, and asks by aborting its signal with a
 * CommandOverrun. The command is then stopped like a canceled one (its signal, its grace), its last checkpoint goes up, and the end
 * that the CommandOverrun names is reported.
 */
import type { AttemptEnd } from "../../src/contract/index.ts";

/** The command was stopped because a bound of its job was reached; the attempt ends as `end`, with this message as its reason. */
export class CommandOverrun extends Error {
  override readonly name = "CommandOverrun";
  readonly end: Extract<AttemptEnd, "stalled" | "timed_out">;
  constructor(end: CommandOverrun["end"], reason: string) {
    super(reason);
    this.end = end;
  }
}

export interface Stopper {
  /** Aborts with a CommandOverrun when the command is to be stopped. */
  readonly signal: AbortSignal;
  /** The command has ended or is being stopped; nothing is to be watched any more. Called once. */
  release(): void;
}
