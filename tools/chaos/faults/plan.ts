/** Which blow follows which: all from one number. Each kind comes once, then two combined ones, and all over again. */
import type { Random } from "../../../test/simulation/world/random.ts";
import { settings } from "../settings.ts";
import { drawAgentKilled } from "./agent-killed.ts";
import { drawApiKilled } from "./api-killed.ts";
import type { Blow, Fault } from "./blow.ts";
import { drawBothKilled, drawCutInOutage, drawDeafZombie, drawFrozenInOutage } from "./combined.ts";
import { drawCut } from "./cut.ts";
import { drawFrozen } from "./frozen.ts";

type Draw = (random: Random) => Fault[];

const alone: Draw[] = [drawApiKilled, drawAgentKilled, drawFrozen, drawCut].map((draw) => (random) => [
  draw(random),
]);
/** Outages are rationed: an API that comes back late doubts expiries, and whoever is always doubted makes no zombies. */
const withOutage: Draw[] = [drawBothKilled, drawFrozenInOutage, drawCutInOutage];

/** Endless. */
export function* planBlows(random: Random): Generator<Blow, never> {
  for (;;) {
    const combined = [drawDeafZombie, random.pick(withOutage)];
    for (const draw of [...shuffled(alone, random), ...shuffled(combined, random)]) {
      const { least, most } = settings.pause;
      yield { afterMs: random.between(least, most) * 1000, faults: draw(random) };
    }
  }
}

function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  return items.map(() => left.splice(random.int(0, left.length - 1), 1)[0] as T);
}
