/** Many agents waiting: one job wakes one agent. On real workerd, sockets that hibernate included. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { beforeAll, expect, test } from "vitest";
import type { ClaimedJob } from "../../../src/contract/index.ts";
import { newGroup, send, signUp, submission, submit, tellerOf } from "../http/client.ts";
import { type Connected, connect, lineUp, stubOf, waiting } from "./agents.ts";

let user: { id: string; key: string };
beforeAll(async () => {
  user = await signUp("waker");
});
const tell = tellerOf(() => user.key);

const wake = { type: "wake" };
const wakesOf = ({ messages }: Connected) => messages.filter(({ type }) => type === "wake").length;

/** A group with these machines waiting, in this order. */
async function lineOf(...machines: string[]) {
  const group = newGroup();
  const agents: Record<string, Connected> = {};
  for (const machine of machines) agents[machine] = await connect(user.key, group, machine);
  await lineUp(user.id, group, agents);
  const agent = (machine: string) => agents[machine] as Connected;
  return {
    group,
    agent,
    /** How often each has been woken, once nothing is under way any more. */
    async wakes() {
      for (const machine of machines) await agent(machine).upToDate();
      return machines.map((machine) => wakesOf(agent(machine)));
    },
    waiting: () => waiting(user.id, group),
    submit: (fields = {}) => submit(user.key, { container_group_id: group, ...fields }),
  };
}

async function claim(group: string, machine: string): Promise<ClaimedJob> {
  const query = `machine_id=${machine}&container_group_id=${group}&claim_id=${crypto.randomUUID()}`;
  const { body } = await send<ClaimedJob[]>("GET", `/work?${query}`, { key: user.key });
  if (!body[0]) throw new Error("no job");
  return body[0];
}

const holderOf = (job: ClaimedJob) => ({ attempt: job.attempt, lease_token: job.lease_token });

test("one job wakes exactly one of several, the one that has waited longest", async () => {
  const line = await lineOf("m1", "m2", "m3");
  await line.submit();
  expect(await line.agent("m1").next()).toEqual(wake);
  expect(await line.wakes()).toEqual([1, 0, 0]);
  expect(await line.waiting()).toEqual(["m2", "m3"]);
});

test("each further job wakes the next in turn; who has been woken waits again at the end", async () => {
  const line = await lineOf("m1", "m2", "m3");
  await line.submit();
  await line.agent("m1").next();
  line.agent("m1").say("waiting");
  await expect.poll(line.waiting).toEqual(["m2", "m3", "m1"]);
  await line.submit();
  await line.agent("m2").next();
  await line.submit();
  await line.agent("m3").next();
  await line.submit();
  await line.agent("m1").next();
  expect(await line.wakes()).toEqual([2, 1, 1]);
});

test("saying it again does not cost one's place", async () => {
  const line = await lineOf("m1", "m2");
  line.agent("m1").say("waiting");
  await line.submit();
  await line.agent("m1").next();
  expect(await line.wakes()).toEqual([1, 0]);
});

test("a batch of 3 wakes 3 of 4, and other groups' jobs nobody", async () => {
  const line = await lineOf("m1", "m2", "m3", "m4");
  const jobs = [line.group, line.group, newGroup(), line.group].map((container_group_id) =>
    submission({ container_group_id }),
  );
  await send("POST", "/jobs/batch", { key: user.key, body: jobs });
  for (const machine of ["m1", "m2", "m3"]) expect(await line.agent(machine).next()).toEqual(wake);
  expect(await line.wakes()).toEqual([1, 1, 1, 0]);
});

test("sockets and who waits outlive the object's memory", async () => {
  const line = await lineOf("m1", "m2", "m3");
  line.agent("m1").say("busy");
  await expect.poll(line.waiting).toEqual(["m2", "m3"]);
  await evictDurableObject(stubOf(user.id, line.group), { webSockets: "hibernate" });
  await line.submit();
  expect(await line.agent("m2").next()).toEqual(wake);
  expect(await line.wakes()).toEqual([0, 1, 0]);
  await evictDurableObject(stubOf(user.id, line.group), { webSockets: "hibernate" });
  line.agent("m2").say("waiting");
  await expect.poll(line.waiting).toEqual(["m3", "m2"]);
});

test("a job given back wakes one, and not the machine that gave it back", async () => {
  const line = await lineOf("m1", "m2");
  const { id } = await line.submit();
  await line.agent("m1").next();
  const job = await claim(line.group, "m1");
  line.agent("m1").say("waiting");
  await expect.poll(line.waiting).toEqual(["m2", "m1"]);
  line.agent("m2").say("busy");
  line.agent("m2").say("waiting");
  await expect.poll(line.waiting).toEqual(["m1", "m2"]);
  expect((await tell(line.group, "m1", id, "released", holderOf(job))).status).toBe(200);
  expect(await line.agent("m2").next()).toEqual(wake);
  expect(await line.wakes()).toEqual([1, 1]);
});

test("a job that failed wakes one as long as it may be tried again", async () => {
  const line = await lineOf("m1", "m2");
  await line.submit({ max_failures: 2 });
  await line.agent("m1").next();
  const first = await claim(line.group, "m1");
  await tell(line.group, "m1", first.id, "failed", holderOf(first));
  await line.agent("m2").next();
  const second = await claim(line.group, "m2");
  await lineUp(user.id, line.group, { m1: line.agent("m1") });
  await tell(line.group, "m2", second.id, "failed", holderOf(second));
  expect(await line.wakes()).toEqual([1, 1]);
});

test("a job that came between an empty claim and `waiting` wakes at once", async () => {
  const line = await lineOf();
  const agent = await connect(user.key, line.group, "m1");
  await line.submit();
  // The group has been told once its hint has run; that is what the test waits for.
  await runInDurableObject(stubOf(user.id, line.group), () => undefined);
  await expect
    .poll(async () => {
      agent.say("waiting");
      await agent.upToDate();
      return wakesOf(agent);
    })
    .toBe(1);
});

test("a wake that its agent cannot use goes to the next", async () => {
  const line = await lineOf("m1", "m2", "m3");
  await line.submit();
  await line.agent("m1").next();
  line.agent("m1").say("busy");
  expect(await line.agent("m2").next()).toEqual(wake);
  line.agent("m2").close();
  expect(await line.agent("m3").next()).toEqual(wake);
  line.agent("m3").say("waiting");
  await expect.poll(line.waiting).toEqual(["m3"]);
});

test("a socket whose other end has gone silent is not woken, and is dropped", async () => {
  const line = await lineOf("m1", "m2");
  await runInDurableObject(stubOf(user.id, line.group), (_object, state) => {
    for (const socket of state.getWebSockets()) {
      const agent = socket.deserializeAttachment();
      if (agent.machineId === "m1") socket.serializeAttachment({ ...agent, heardMs: Date.now() - 91_000 });
    }
  });
  // So that it reads the attachments anew.
  await evictDurableObject(stubOf(user.id, line.group), { webSockets: "hibernate" });
  await line.submit();
  expect(await line.agent("m2").next()).toEqual(wake);
  expect(await line.agent("m1").closed).toMatchObject({ reason: "silent for too long" });
  expect(wakesOf(line.agent("m1"))).toBe(0);
});

test("a ping is heard: it keeps a socket that says nothing else", async () => {
  const line = await lineOf("m1");
  await runInDurableObject(stubOf(user.id, line.group), (_object, state) => {
    for (const socket of state.getWebSockets()) {
      socket.serializeAttachment({ ...socket.deserializeAttachment(), heardMs: 0 });
    }
  });
  await line.agent("m1").upToDate();
  await evictDurableObject(stubOf(user.id, line.group), { webSockets: "hibernate" });
  await line.submit();
  expect(await line.agent("m1").next()).toEqual(wake);
});

test("who is held while a scale-in is chosen is not woken, but another; those who stay are, once it is known who goes", async () => {
  const line = await lineOf("m1", "m2", "m3");
  await line.submit();
  expect(await line.agent("m1").next()).toEqual(wake);
  await claim(line.group, "m1");
  const key = { userId: user.id, containerGroupId: line.group };
  const group = stubOf(user.id, line.group);
  line.agent("m1").say("waiting");
  await expect.poll(line.waiting).toEqual(["m2", "m3", "m1"]);

  await group.holdGrants(key, "step", Date.now() + 60_000);
  // Only who has a lease gets another one now.
  await line.submit();
  expect(await line.agent("m1").next()).toEqual(wake);
  await line.submit();
  expect(await line.wakes()).toEqual([2, 0, 0]);

  // That it takes m2 is known; nothing waited when the step was decided.
  const instances = [{ machineId: "m2", instanceId: "i2" }];
  await group.narrowHold(key, "step", { instances, untilMs: Date.now() + 60_000 }, 0);
  expect(await line.agent("m3").next()).toEqual(wake);
  expect(await line.wakes()).toEqual([2, 0, 1]);
});
