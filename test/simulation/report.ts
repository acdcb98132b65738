/** A run in a few aligned lines; a violation with what led to it. */
import type { Report } from "./simulate.ts";

export function printReport(report: Report, wallSeconds: number): void {
  const rows: [string, string][] = [
    ["seed", `${report.seed} (${report.scenario})`],
    ["node-hours", report.nodeHours.toFixed(0)],
    ["virtual hours", report.virtualHours.toFixed(1)],
    ["jobs", `${report.jobs} (${list(report.ends)})`],
    ["attempts", String(report.attempts)],
    ["interruptions", String(report.interruptions)],
    ["generations", String(report.commits)],
    ["faults injected", `${sum(report.faults)} (${list(report.faults)})`],
    ["zombie effects refused", `${sum(report.refusals)} (${list(report.refusals)})`],
    ["invariants checked", `${report.checks.size}, ${sum(report.checks)} times`],
    ["lives of the object", String(report.objectLives)],
    ["D1 statements", String(report.d1Statements)],
    ["events", String(report.events)],
    ["digest", report.digest],
    ["wall time", `${wallSeconds.toFixed(1)} s`],
  ];
  for (const [name, value] of rows) console.log(`${name.padEnd(24)} ${value}`);
}

export function describeViolation(report: Report): string {
  const { violation } = report;
  if (!violation) return "no invariant broken";
  const { invariant, jobId, atMs, said, events } = violation;
  return [
    `seed ${report.seed} (${report.scenario}), after ${(atMs / 1000).toFixed(3)} s of virtual time: ${invariant}`,
    `${jobId ?? "the group"}: ${said}`,
    ...events.map((event) => `  ${event}`),
  ].join("\n");
}

export function printViolation(report: Report): void {
  console.error(`\n${describeViolation(report)}`);
}

const sum = (counts: Map<string, number>) => [...counts.values()].reduce((a, b) => a + b, 0);
const list = (counts: Map<string, number>) =>
  [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([kind, count]) => `${kind} ${count}`)
    .join(", ");
