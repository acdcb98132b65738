import type { Verdict } from "./judge.ts";
import { leaseSeconds, scenario } from "./scenario.ts";

const seconds = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** The demo's last words. */
export function reportOf(verdict: Verdict, jobs: number, kills: number): string {
  const { resumptions, stepsComputed, stepsNeeded, stepsTwice, usefulMs, nodeMs } = verdict;
  const measured = resumptions.flatMap(({ killToResumeMs }) => killToResumeMs ?? []);
  const spread =
    measured.length > 0 ? `${seconds(Math.min(...measured))} to ${seconds(Math.max(...measured))}` : "none";
  const share = nodeMs > 0 ? ((100 * usefulMs) / nodeMs).toFixed(0) : "0";
  return [
    "Judged from the log that the jobs wrote, and from their outputs in the bucket:",
    "",
    `  sums equal to n(n+1)/2   ${verdict.rightSums} of ${jobs}`,
    `  nodes killed             ${kills} (SIGKILL to agent and command)`,
    ...resumptions.map(
      ({ name, from, to, reachedStep, resumedStep, killToResumeMs }) =>
        `    ${name}  ${from} had computed step ${reachedStep}; ${to} went on from step ${resumedStep}` +
        (killToResumeMs === undefined ? "" : `, ${seconds(killToResumeMs)} after the kill`),
    ),
    `  steps computed twice     ${stepsTwice} (${stepsComputed} computed, ${stepsNeeded} needed)`,
    `  useful node time         ${share} %: ${seconds(usefulMs)} in steps, each counted once, of ${seconds(nodeMs)} from each node's`,
    "                           start to its kill, or to the end of the last job",
    `  kill → resumed           ${spread}`,
    `  heartbeat interval       ${scenario.heartbeatIntervalSeconds} s: a lease of ${leaseSeconds} s, renewed every ${leaseSeconds / 4} s`,
  ].join("\n");
}
