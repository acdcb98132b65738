/** Stands in a log where something is missing; on a line of its own. */
export function marker(droppedBytes: number): string {
  return `[kelpie: ${droppedBytes} bytes dropped]\n`;
}
