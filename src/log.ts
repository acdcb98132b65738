/** Lines for Workers Logs, which indexes the fields of each that is JSON. Never a secret. */

export type Severity = "info" | "warning" | "error";

/** Writes one line of JSON to the console's level of its severity. */
export function writeLog<Event extends { severity: Severity }>(event: Event): void {
  writers[event.severity](JSON.stringify(event));
}

// Looked up at each call, so that a test can listen or silence.
const writers: Record<Severity, (line: string) => void> = {
  info: (line) => console.info(line),
  warning: (line) => console.warn(line),
  error: (line) => console.error(line),
};
