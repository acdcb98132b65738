/** A decider that was held up for longer than its turn lasts: what another has decided meanwhile stands. */
import { expect, test } from "vitest";
import { writes } from "../engine/world.ts";
import { key, ScalingWorld } from "./world.ts";

test.each([
  ["its rule is read in the turn", "jobs_ended", 2],
  ["its mark is written", "SET scaled_up", 1],
] as const)("up, held up while %s: it sets nobody's replicas back", async (_name, text, nth) => {
  const world = new ScalingWorld();
  world.salad.run(1);
  world.jobs(4);
  let seen = 0;
  world.whileWaiting = async (statements) => {
    if (!writes(statements, text) || ++seen !== nth) return;
    world.nowMs += 121_000;
    world.jobs(4);
    await world.scaler.evaluate(key, false);
    expect(world.salad.replicas).toBe(8);
  };
  // Reads its rule before the turn and in it.
  const late = await world.scaler.evaluate(key, false);
  expect(seen).toBeGreaterThanOrEqual(nth);
  expect(late).toMatchObject({ action: "none", error: null });
  // A smaller number would have been a step down without a hold.
  expect(world.salad.calls.filter((call) => call.startsWith("set"))).toEqual(["setReplicas 8"]);
  expect(world.history).toEqual(["scale_up 1→8"]);
});

test("down, held up while its mark is written, and the other one is done already: nothing is asked of Salad", async () => {
  const world = new ScalingWorld({ min: 1 });
  world.salad.run(6);
  let isHeldUp = false;
  world.whileWaiting = async (statements) => {
    if (!writes(statements, "SET scaled_down") || isHeldUp) return;
    isHeldUp = true;
    world.nowMs += 121_000;
    world.jobs(9);
    await world.scaler.evaluate(key, false);
  };
  expect(await world.scaler.evaluate(key, false)).toMatchObject({ action: "none" });
  expect([isHeldUp, world.salad.replicas, world.rule?.scaled_down]).toEqual([true, 9, null]);
});
