/**
 * How long things take on machines, where a run follows a recorded timeline instead of chance; and what a replay must know of
 * the commands there. Without a pace the actors draw these times.
 */
import type { Machine } from "./machine.ts";

export interface Pace {
  /** From the container's start to the agent's first claim. */
  agentStartMs(machine: Machine): number;
  /** An idle agent's pause between two claims, if nothing wakes it. */
  idlePauseMs(): number;
  /** A claim was answered with a job: until its command runs. */
  commandStartMs(machine: Machine): number;
  /** Until the command, that now runs, works on the job; what it does before that is its own affair. */
  warmUpMs(machine: Machine): number;
  /** How long that machine is at work that takes `ms` at speed 1. */
  workMs(machine: Machine, ms: number): number;
  /** What the command loses by saving, per checkpoint. */
  saveMs: number;
  uploadMs(machine: Machine): number;
  /** The command has done so much: when it begins, at each checkpoint, and when it exits. */
  reached(machine: Machine, doneMs: number): void;
}
