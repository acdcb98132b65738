/** One random history: misfortunes, then none, and what must have become of it all. */

import { drawAction, drawGapMs, drawRule, rush } from "./random-actions.ts";
import { decideRest } from "./random-rest.ts";
import { RandomWorld } from "./random-world.ts";

export interface HistoryReport {
  seed: number;
  violation: { invariant: string; said: string } | null;
  /** What happened, in order; only of a history that broke an invariant. */
  lines: string[];
  checks: ReadonlyMap<string, number>;
  /** Passes until all was at rest. */
  passes: number;
  /** Of all that happened. */
  digest: string;
}

export async function runHistory(seed: number, actions: number): Promise<HistoryReport> {
  const lines: string[] = [];
  const world = new RandomWorld(seed, (line) => void lines.push(line));
  const { random, salad, verdict, rules } = world;
  world.makeRule(drawRule(random));
  salad.byHand(() => {
    salad.state = random.pick(["running", "running", "stopped"]);
    salad.replicas = random.int(0, 5);
  });
  for (let n = 0; n < actions && verdict.violation === null; n++) {
    // Salad may be about to take somebody away.
    const isTense = rules.askedLately;
    const action = isTense && random.chance(0.3) ? rush : drawAction(random);
    const said = action.act(world);
    if (said !== null) rules.note(`-- ${said}`);
    await world.pass(drawGapMs(random, rules.isDeciding, isTense));
  }
  const passes = verdict.violation === null ? await decideRest(world) : 0;
  const { violation, checks, digest } = verdict;
  world.d1.database.close();
  return { seed, violation, lines: violation ? lines : [], checks, passes, digest };
}
