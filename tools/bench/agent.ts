/**
 * `npm run bench -- agent [--quick]`: dead time, which a job spends neither working nor waiting for a free agent: real agents on the local
 * API, at the default heartbeat of 30 s. Agents, commands and API share one machine and so one clock.
 */
import { runToTheEnd } from "../processes/run-to-the-end.ts";
import { deadTimes } from "./agent-dead-times.ts";
import { BenchPlay } from "./bench-play.ts";
import { showMachineLoad } from "./machine-load.ts";
import { median } from "./measure.ts";
import type { Ground } from "./storage-agent.ts";

const rounds = { full: 15, quick: 3 };

export async function benchAgent(quick: boolean): Promise<void> {
  const wanted = quick ? rounds.quick : rounds.full;
  await runToTheEnd("bench", (directory, interrupted) => {
    return new BenchPlay(directory, interrupted, (ground) => measureDeadTimes(ground, wanted));
  });
}

async function measureDeadTimes(ground: Ground, wanted: number): Promise<true> {
  const taken = deadTimes.map((deadTime) => ({ ...deadTime, secondsOf: [] as number[] }));
  // All in turn: a disturbance of some seconds hits one round of each rather than all rounds of one.
  for (let round = 1; round <= wanted; round++) {
    for (const { name, measure, secondsOf } of taken) {
      const seconds = await measure(ground, `${deadTimes.findIndex((one) => one.name === name)}-${round}`);
      secondsOf.push(seconds);
      ground.tell(`round ${round} of ${wanted}, ${name}: ${seconds.toFixed(2)} s`);
    }
  }
  const line = (...[name, ...figures]: string[]) =>
    console.log(`${name?.padEnd(62)}${figures.map((figure) => figure.padStart(16)).join("")}`);
  console.log(`\nmedians of ${wanted} rounds, seconds`);
  line("", "the original", "aim", "median", "slowest");
  for (const { name, original, aim, secondsOf } of taken) {
    line(name, original, aim, median(secondsOf).toFixed(2), Math.max(...secondsOf).toFixed(2));
  }
  showMachineLoad();
  return true;
}
