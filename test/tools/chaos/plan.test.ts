import { expect, it } from "vitest";
import type { Blow } from "../../../tools/chaos/faults/blow.ts";
import { planBlows } from "../../../tools/chaos/faults/plan.ts";
import { FaultKind } from "../../../tools/chaos/logs/fault-log.ts";
import { Random } from "../../simulation/world/random.ts";

function blowsOf(seed: number, count: number): Blow[] {
  const plan = planBlows(new Random(seed));
  return Array.from({ length: count }, () => plan.next().value);
}

const planOf = (seed: number) =>
  blowsOf(seed, 30).map(({ afterMs, faults }) => [afterMs, ...faults.map(({ what }) => what)]);

it("the same seed draws the same blows, another one others", () => {
  expect(planOf(7)).toEqual(planOf(7));
  expect(planOf(8)).not.toEqual(planOf(7));
});

it("every kind strikes alone before any strikes again", () => {
  for (const seed of [1, 2, 3, 4, 5]) {
    const kinds = blowsOf(seed, 4).flatMap(({ faults }) => faults.map(({ kind }) => kind));
    expect(kinds.sort()).toEqual(FaultKind.options.toSorted());
  }
});
