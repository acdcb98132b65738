import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";

/**
 * One line that examples/sum appends to SUM_LOG. `step` and `sum` are what has been reached; a `step` line means that
 * the step was computed, whether or not its checkpoint ever left the node.
 */
export const SumEvent = z.object({
  time: z.iso.datetime().transform((text) => Date.parse(text)),
  job: z.string(),
  pid: z.int(),
  machine: z.string(),
  event: z.enum(["start", "resume", "step", "stop", "done"]),
  step: z.int().min(0),
  sum: z.int().min(0),
  ms: z.number().optional(),
});
export type SumEvent = z.infer<typeof SumEvent>;

export interface SumLog {
  events: SumEvent[];
  /** Lines that are no event: there must be none. */
  unreadable: string[];
}

/** In the order in which the lines were appended. A last line without its newline is still being written. */
export function parseSumLog(text: string): SumLog {
  const log: SumLog = { events: [], unreadable: [] };
  for (const line of text.split("\n").slice(0, -1)) {
    const event = SumEvent.safeParse(readJson(line));
    if (event.success) log.events.push(event.data);
    else log.unreadable.push(line);
  }
  return log;
}

export function readSumLog(path: string): SumLog {
  return parseSumLog(existsSync(path) ? readFileSync(path, "utf8") : "");
}

function readJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // Not JSON is not an event: the caller counts it.
  }
}
