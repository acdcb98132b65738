import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { localBucket } from "../../tools/local-api.ts";
import { leaseMs, type Scene, type Stack, startStack, until } from "./stack.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack?.stop());

const reached = (scene: Scene, step: number) =>
  until(`step ${step}`, () => scene.events().some((event) => event.step >= step), scene);

const completed = (scene: Scene, id: string) =>
  until("the job's completion", async () => (await stack.client.job(id)).status === "completed", scene);

const steps = (n: number) => Array.from({ length: n }, (_, index) => index + 1);

// Side by side: they mostly wait, for steps and for a lease to run out.
describe.concurrent("the main job", () => {
  it("a node is killed; another resumes at the last uploaded checkpoint", async () => {
    const scene = stack.scene("killed");
    const { id } = await scene.submit({ n: 20, stepSeconds: 0.25 });
    const lost = scene.agent("lost");
    await reached(scene, 10);
    await until("uploaded checkpoints", async () => (await scene.checkpoints()).length >= 5, scene);
    await lost.kill();
    const killedMs = Date.now();
    // What was on its way to the API when the node went dark may still land.
    await sleep(1000);
    const newest = (await scene.checkpoints()).at(-1);
    const before = scene.events();
    scene.agent("other");

    await completed(scene, id);
    const after = scene.events().slice(before.length);
    expect(before.every(({ machine }) => machine === "lost")).toBe(true);
    expect(after[0]).toMatchObject({ machine: "other", event: "resume", step: newest });
    expect(after.at(-1)).toMatchObject({ machine: "other", event: "done", step: 20, sum: 210 });
    expect(JSON.parse((await scene.output()) ?? "null")).toEqual({ n: 20, sum: 210 });
    // Not before the lease could have run out: the first node might have been alive.
    expect((after[0]?.time ?? 0) - killedMs).toBeGreaterThan(leaseMs / 2);
    const attempts = await stack.client.attempts(id);
    expect(attempts.map(({ machine_id, end }) => [machine_id, end]).sort()).toEqual([
      ["lost", "interrupted"],
      ["other", "completed"],
    ]);
  });

  it("an agent gets SIGTERM; it releases the job, and another goes on at once with nothing lost", async () => {
    const scene = stack.scene("released");
    const { id } = await scene.submit({ n: 30, stepSeconds: 0.25 });
    const first = scene.agent("first");
    await reached(scene, 8);
    first.signal("SIGTERM");
    const other = scene.agent("other");
    expect(await first.exited).toEqual({ code: 0, signal: null });

    await completed(scene, id);
    const events = scene.events();
    const stop = events.find(({ event }) => event === "stop");
    const resume = events.find(({ event }) => event === "resume");
    expect(stop).toMatchObject({ machine: "first" });
    expect(resume).toMatchObject({ machine: "other", step: stop?.step });
    expect((resume?.time ?? 0) - (stop?.time ?? 0)).toBeLessThan(leaseMs / 2);
    expect(events.filter(({ event }) => event === "step").map(({ step }) => step)).toEqual(steps(30));
    expect((await stack.client.attempts(id)).map(({ end }) => end).sort()).toEqual(["completed", "released"]);
    expect(other.isRunning()).toBe(true);
  });

  it("the output cannot be uploaded; the job is not completed", async () => {
    const scene = stack.scene("no-bucket");
    const output = { prefix: "x/", local_path: "./output", direction: "upload" as const };
    const { id } = await scene.submit({
      n: 2,
      stepSeconds: 0.1,
      max_failures: 1,
      sync: {
        after: [
          { ...output, bucket: localBucket.bucket },
          { ...output, bucket: "there-is-no-such-bucket" },
        ],
      },
    });
    const agent = scene.agent("hopeful");
    await until("the command's end", () => scene.events().some(({ event }) => event === "done"), scene);
    const end = await until(
      "the attempt's end",
      async () => (await stack.client.attempts(id))[0]?.end ?? undefined,
      scene,
    );
    expect(["failed", "released"]).toContain(end);
    const job = await stack.client.job(id);
    expect(job.status).not.toBe("completed");
    expect(job.completed).toBeNull();
    // A job that fails is no reason for the agent to leave: on SaladCloud that would cost the node.
    expect(agent.isRunning()).toBe(true);
  });
});

// Alone: it takes the API from under everybody.
it("the API is killed and comes back mid-job; the job goes on, with the same attempt", async () => {
  const scene = stack.scene("api-restart");
  const { id } = await scene.submit({ n: 40, stepSeconds: 0.25 });
  scene.agent("steady");
  await reached(scene, 6);
  await stack.restartApi(2000);
  expect((await stack.client.job(id)).status).toBe("running");

  await completed(scene, id);
  const events = scene.events();
  expect(events.map(({ event }) => event).filter((event) => event !== "step")).toEqual(["start", "done"]);
  expect(new Set(events.map(({ pid }) => pid)).size).toBe(1);
  // Nothing that fell into the outage is missing.
  expect(await scene.checkpoints()).toEqual(steps(40));
  expect(JSON.parse((await scene.output()) ?? "null")).toEqual({ n: 40, sum: 820 });
  expect(await stack.client.attempts(id)).toMatchObject([{ number: 1, end: "completed" }]);
});
