/** Steps down whose outcome Salad does not show: nobody who stays is held back for longer than docs/autoscaling.md says. */
import { expect, test } from "vitest";
import { writes } from "../engine/world.ts";
import { status, unanswered } from "./salad.ts";
import { key, ScalingWorld } from "./world.ts";

const minute = 60_000;

/** Whether that machine gets a job that has just come; it ends at once. */
async function getsJob(world: ScalingWorld, machineId: string): Promise<boolean> {
  world.jobs(1);
  const held = await world.claimAt(machineId);
  if (held) await world.settle(held, "completed");
  else world.run("UPDATE jobs SET status = 'canceled', canceled = 1 WHERE status = 'pending'");
  return held !== null;
}

test("Salad answers no change for many minutes: idle nodes get jobs every other one", async () => {
  const world = new ScalingWorld();
  world.salad.run(5);
  world.jobs(1);
  await world.busy("m1");
  world.salad.faultOf = (call) => (call === "setReplicas" ? { answer: unanswered } : undefined);
  const got = [];
  for (let n = 0; n < 6; n++) {
    await world.scaler.pass();
    got.push(await getsJob(world, "m2"));
    world.nowMs += minute;
  }
  expect(got).toEqual([false, true, false, true, false, true]);
});

test("Salad lists one instance too many for ever: a further step waits, and does not prolong the hold", async () => {
  const world = new ScalingWorld({ min: 3 });
  world.salad.run(6);
  world.salad.choosesAtOnce = false;
  await world.scaler.pass();
  world.run("UPDATE scaling_rules SET min_replicas = 2");
  for (let n = 0; n < 14; n++) {
    world.nowMs += minute;
    await world.scaler.pass();
    expect(await world.engine.grantHold(key)).not.toBeNull();
  }
  expect(world.history).toEqual(["scale_down 6→3"]);
  world.nowMs += minute;
  expect(await getsJob(world, "m1")).toBe(true);
});

test("a stop waits for no earlier step: nothing stays that nobody needs", async () => {
  const world = new ScalingWorld({ min: 3 });
  world.salad.run(6);
  world.salad.choosesAtOnce = false;
  await world.scaler.pass();
  world.run("UPDATE scaling_rules SET min_replicas = 0");
  await world.scaler.pass();
  expect(world.history).toEqual(["scale_down 6→3", "stop 3→0"]);
});

test("a stop whose mark fails forgets no earlier step: whom that has taken gets no job", async () => {
  const world = new ScalingWorld({ min: 3 });
  world.salad.run(6);
  world.salad.choosesAtOnce = false;
  await world.scaler.pass();
  world.run("UPDATE scaling_rules SET min_replicas = 0");
  world.faultOf = (statements) => (writes(statements, "SET scaled_down") ? "refused" : undefined);
  expect(await world.scaler.pass()).toMatchObject({ failed: 1 });
  world.faultOf = () => undefined;
  world.run("UPDATE scaling_rules SET min_replicas = 3");
  world.salad.choose();
  world.nowMs += minute;
  await world.scaler.pass();
  expect(world.history).toEqual(["scale_down 6→3"]);
  world.jobs(1);
  expect(await world.claimAt("m1")).toBeNull();
  expect(await world.claimAt("m6")).not.toBeNull();
});

test.each([
  ["refuses", status(400, "rejected", "over quota")],
  ["does not answer", unanswered],
])("jobs come, and Salad %s to bring more: those who stay claim all the same", async (_name, answer) => {
  const world = new ScalingWorld({ min: 3 });
  world.salad.run(6);
  world.salad.choosesAtOnce = false;
  await world.scaler.pass();
  world.salad.choose();
  world.jobs(8);
  world.salad.faultOf = (call) => (call === "setReplicas" ? { answer } : undefined);
  world.nowMs += minute;
  await world.scaler.pass();
  expect(await world.claimAt("m1")).toBeNull();
  expect(await world.claimAt("m4")).not.toBeNull();
});

test.each(["answer-lost", "late"] as const)(
  "the autoscaler dies at its mark (%s): nothing was asked of Salad, so no cooldown follows",
  async (fault) => {
    const world = new ScalingWorld({ min: 1, downCooldown: 86_400 });
    world.salad.run(3);
    world.faultOf = (statements) => (writes(statements, "SET scaled_down") ? fault : undefined);
    expect(await world.scaler.pass()).toMatchObject({ failed: 1 });
    world.faultOf = () => undefined;
    world.applyLate();
    expect([world.salad.replicas, world.rule?.scaled_down]).toEqual([3, world.nowMs]);
    for (let n = 0; n < 2; n++) {
      world.nowMs += minute;
      await world.scaler.pass();
    }
    expect(world.salad.replicas).toBe(1);
  },
);

test("an instance that had no node yet when it was chosen gets no job on the one that it has come to", async () => {
  const world = new ScalingWorld({ min: 1 });
  world.salad.run(2);
  world.salad.instances = world.salad.instances.map((instance) =>
    instance.id === "i1" ? { ...instance, machineId: "", state: "allocating" } : instance,
  );
  await world.scaler.pass();
  expect(world.history).toEqual(["scale_down 2→1"]);
  world.jobs(1);
  expect(await world.claimAt("m7", "i1")).toBeNull();
  expect(await world.claimAt("m7", "i8")).not.toBeNull();
});
