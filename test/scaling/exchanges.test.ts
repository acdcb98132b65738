/** Machines that fail jobs and are to be exchanged by the API: what is asked of Salad, what is told of it, whom it costs. */
import { expect, test } from "vitest";
import type { BadMachine } from "../../src/group/protocol.ts";
import { status } from "./salad.ts";
import { key, ScalingWorld } from "./world.ts";

/** The group's object names these machines until it hears that they were exchanged. */
function badMachines(world: ScalingWorld, machineIds: string[]): BadMachine[] {
  const bad = machineIds.map((machineId) => ({ machineId, reason: "fails what goes well elsewhere" }));
  Object.assign(world.engine, {
    badMachines: async () => [...bad],
    reallocated: async (_key: unknown, machineId: string) => {
      bad.splice(
        bad.findIndex((one) => one.machineId === machineId),
        1,
      );
    },
  });
  return bad;
}

test("a machine that fails jobs is replaced by its instance's id, and that once", async () => {
  // Nothing waits, nothing runs: the next job shall find a better one.
  const world = new ScalingWorld({ min: 2 });
  world.salad.run(2);
  const bad = badMachines(world, ["m2", "gone"]);
  await world.scaler.pass();
  await world.scaler.pass();
  expect([world.salad.reallocated, bad, world.history]).toEqual([["i2"], [], ["reallocate null→null"]]);
});

test("machines that cannot be exchanged keep no other from it, also where a rule is looked at every other minute", async () => {
  const world = new ScalingWorld({ min: 6 });
  world.salad.run(6);
  badMachines(world, ["m1", "m2", "m3", "m4", "m5", "m6"]);
  const asked = new Set<string>();
  world.salad.reallocate = async (_place, instanceId) => {
    asked.add(instanceId);
    return status(400, "rejected");
  };
  for (const drawn of [0, 0.5]) {
    world.ports.random = () => drawn;
    await world.scaler.pass();
    world.nowMs += 120_000;
  }
  expect([...asked].sort()).toEqual(["i1", "i2", "i3", "i4", "i5", "i6"]);
});

test.each([
  ["up, and Salad refuses", 3],
  ["down, and no deletion cost is ever raised, as where no metadata service is reached", 1],
])(
  "a step that is due in each look and comes to nothing (%s) keeps no machine from being exchanged",
  async (_name, jobs) => {
    const world = new ScalingWorld();
    world.salad.run(2);
    world.jobs(jobs);
    await world.busy("m1", 0);
    world.salad.faultOf = (call) =>
      call === "setReplicas" ? { answer: status(400, "rejected", "over quota") } : undefined;
    badMachines(world, ["m1"]);
    await world.scaler.pass();
    expect(world.salad.reallocated).toEqual(["i1"]);
    expect(world.history).toEqual([
      expect.stringMatching(/^(scale_up|drain) 2→null: /),
      "reallocate null→null",
    ]);
  },
);

test.each([
  ["go", undefined],
  ["may be about to go", { answer: status(502, "unavailable", "502 with HTML") }],
])("while instances %s none is exchanged: Salad might take the very same", async (_name, fault) => {
  const world = new ScalingWorld({ min: 1 });
  world.salad.run(3);
  world.salad.choosesAtOnce = false;
  badMachines(world, ["m1"]);
  world.salad.faultOf = (call) => (call === "setReplicas" ? fault : undefined);
  await world.scaler.pass();
  expect(world.history).toEqual([expect.stringMatching(/^scale_down 3→/)]);
  expect(world.salad.reallocated).toEqual([]);
});

test("a gateway's 404 is not Salad's word: the next pass asks again", async () => {
  const world = new ScalingWorld({ min: 2 });
  world.salad.run(2);
  const bad = badMachines(world, ["m2"]);
  world.salad.faultOf = (call, count) =>
    call === "reallocate" && count === 1
      ? { answer: status(404, "unavailable", "404 with HTML") }
      : undefined;
  await world.scaler.pass();
  expect([bad.length, world.salad.reallocated]).toEqual([1, []]);
  await world.scaler.pass();
  expect([bad, world.salad.reallocated]).toEqual([[], ["i2"]]);
  expect(world.history).toEqual([
    "reallocate null→null: SaladCloud gave no answer to go by: 404 with HTML",
    "reallocate null→null",
  ]);
});

test("an instance that has gone by itself was not exchanged: nothing is told, nothing asked again", async () => {
  const world = new ScalingWorld({ min: 2 });
  world.salad.run(2);
  const bad = badMachines(world, ["m2"]);
  world.salad.faultOf = (call) => (call === "reallocate" ? { answer: status(404, "refused") } : undefined);
  await world.scaler.pass();
  expect([bad, world.history]).toEqual([[], []]);
});

test("an organization's exchanges of a minute are used up: nobody's requests rest for it, and no more are asked for", async () => {
  const world = new ScalingWorld({ min: 3 });
  world.salad.run(3);
  badMachines(world, ["m1", "m2", "m3"]);
  world.salad.faultOf = (call) =>
    call === "reallocate" ? { answer: status(429, "unavailable") } : undefined;
  for (let n = 1; n <= 5; n++) {
    const startMs = world.nowMs;
    await world.scaler.pass();
    expect(await world.desk.take("look")).toEqual({ ok: true });
    expect(world.salad.calls.filter((call) => call === "reallocate")).toHaveLength(n);
    world.nowMs = startMs + 60_000;
  }
  expect(world.history).toEqual(["reallocate null→null: SaladCloud takes no more requests just now (429)"]);
});

test("a paused rule exchanges nobody, also where a person's look settles a step down", async () => {
  const world = new ScalingWorld({ min: 1 });
  world.salad.run(3);
  world.salad.choosesAtOnce = false;
  await world.scaler.pass();
  world.run("UPDATE scaling_rules SET paused = 1, updated = updated + 1");
  badMachines(world, ["m3"]);
  world.salad.choose();
  await world.scaler.evaluate(key, false);
  expect(await world.engine.grantHold(key)).toBeNull();
  expect(world.salad.reallocated).toEqual([]);
});
