import { loadavg } from "node:os";

/** For whoever reads figures that were measured on this machine. */
export function showMachineLoad(): void {
  const load = loadavg().map((value) => value.toFixed(1));
  console.log(`\nload of the machine, of the last 1, 5 and 15 minutes: ${load.join(", ")}`);
}
