/** One line of JSON for each thing that happens: what the tests wait for. */
export function log(event: string, facts: Record<string, unknown> = {}): void {
  process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);
}
