/** `npm run simulate -- --traces FILE`: reads, replays, prints. Returns what makes it exit non-zero. */
import { assumptions } from "./assumptions.ts";
import { complaints, replayAll } from "./replay.ts";
import { type Print, printReplays, printSensitivity } from "./report.ts";
import { type Moved, move, summary, variants } from "./sensitivity.ts";
import { readTraces } from "./trace-file.ts";

export async function runTraces(path: string, print: Print): Promise<string[]> {
  const jobs = readTraces(path);
  const replays = await replayAll(jobs, { known: assumptions, withOurs: true });
  printReplays(replays, print);
  const moved: Moved[] = [];
  for (const variant of variants) moved.push(await move(jobs, variant));
  printSensitivity(summary("as assumed", replays), moved, print);
  // Whatever is assumed, the protocol holds.
  return [
    ...complaints(replays),
    ...moved.flatMap(({ name, broken }) => broken.map((what) => `${name}: ${what}`)),
  ];
}
