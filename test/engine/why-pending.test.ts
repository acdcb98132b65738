/** Why pending jobs wait, case by case. */
import { expect, test } from "vitest";
import type { AgentState } from "../../src/contract/index.ts";
import { type FrontJob, type Waiting, type WaitingAgent, whyPending } from "../../src/domain/why-pending.ts";

const agent = (machineId: string, state: AgentState, knowsManaged = true): WaitingAgent => ({
  machineId,
  state,
  knowsManaged,
});
const job = (fields: Partial<FrontJob> = {}): FrontJob => ({ id: "j", managed: false, bans: [], ...fields });
const banned = (...machines: string[]) =>
  job({ bans: machines.map((machineId, at) => ({ machineId, untilMs: 100 + at })) });
const nothing: Waiting = {
  pausedSinceMs: null,
  delayed: 0,
  nextAvailableMs: null,
  front: null,
  agents: [],
  watchedMs: 1_000_000,
  pollWindowMs: 150_000,
  scaling: null,
  nowMs: 10_000_000,
};
const rule = { isActive: true, isPaused: false, lastError: null };
const failed = { ...rule, lastError: { atMs: 9_000_000, error: "the quota is used up" } };
const waits = agent("m1", "waiting");

test.each<[string, Partial<Waiting>, string[]]>([
  ["nothing waits", {}, []],
  ["nothing waits in a paused group", { pausedSinceMs: 1 }, []],
  ["an agent waits", { front: job(), agents: [waits] }, []],
  ["an agent is about to ask", { front: job(), agents: [agent("m1", "idle")] }, []],
  ["paused", { front: job(), agents: [waits], pausedSinceMs: 1 }, ["paused"]],
  ["paused, and nobody there", { front: job(), pausedSinceMs: 1 }, ["paused", "no_agent_seen"]],
  ["paused, all delayed", { delayed: 1, nextAvailableMs: 5, pausedSinceMs: 1 }, ["paused", "retry_delay"]],
  ["nobody there", { front: job() }, ["no_agent_seen"]],
  ["all delayed: agents do not matter", { delayed: 2, nextAvailableMs: 5 }, ["retry_delay"]],
  ["one delayed, one handed out", { front: job(), delayed: 1, agents: [waits] }, ["retry_delay"]],
  ["nobody there, a rule that works", { front: job(), scaling: rule }, ["no_agent_seen"]],
  [
    "nobody there, a rule without a key",
    { front: job(), scaling: { ...failed, isActive: false } },
    ["no_agent_seen", "not_scaled"],
  ],
  [
    "nobody there, a paused rule",
    { front: job(), scaling: { ...failed, isPaused: true } },
    ["no_agent_seen", "not_scaled"],
  ],
  ["nobody there, a rule that fails", { front: job(), scaling: failed }, ["no_agent_seen", "not_scaled"]],
  [
    "all busy, a rule that fails",
    { front: job(), agents: [agent("m1", "busy")], scaling: failed },
    ["agents_busy", "not_scaled"],
  ],
  [
    "a failure that went by",
    { front: job(), scaling: failed, nowMs: 9_000_000 + 66 * 60_000 },
    ["no_agent_seen"],
  ],
  ["an agent waits, a rule that fails", { front: job(), agents: [waits], scaling: failed }, []],
  [
    "a paused group's rule brings nobody",
    { front: job(), scaling: failed, pausedSinceMs: 1 },
    ["paused", "no_agent_seen"],
  ],
  ["all draining", { front: job(), agents: [agent("m1", "draining")] }, ["agents_draining"]],
  ["all busy", { front: job(), agents: [agent("m1", "busy"), agent("m2", "busy")] }, ["agents_busy"]],
  [
    "one busy, one draining",
    { front: job(), agents: [agent("m1", "busy"), agent("m2", "draining")] },
    ["agents_busy"],
  ],
  ["one busy, one waits", { front: job(), agents: [agent("m1", "busy"), agent("m2", "waiting")] }, []],
  ["the only one is banned", { front: banned("m1"), agents: [waits] }, ["agents_banned"]],
  ["banned, but another waits", { front: banned("m1"), agents: [waits, agent("m2", "waiting")] }, []],
  [
    "banned, and the other is busy",
    { front: banned("m1"), agents: [waits, agent("m2", "busy")] },
    ["agents_busy"],
  ],
  [
    "banned, and the other drains",
    { front: banned("m1"), agents: [waits, agent("m2", "draining")] },
    ["agents_banned"],
  ],
  ["somebody else is banned", { front: banned("m9"), agents: [waits] }, []],
  [
    "managed, for old workers",
    { front: job({ managed: true }), agents: [agent("m1", "waiting", false)] },
    ["agents_too_old"],
  ],
  ["managed, for an agent", { front: job({ managed: true }), agents: [waits] }, []],
  ["plain, for old workers", { front: job(), agents: [agent("m1", "waiting", false)] }, []],
  [
    "the agent is banned, the other too old",
    { front: { ...banned("m1"), managed: true }, agents: [waits, agent("m2", "waiting", false)] },
    ["agents_banned", "agents_too_old"],
  ],
])("%s", (_name, waiting, codes) => {
  expect(whyPending({ ...nothing, ...waiting }).map(({ code }) => code)).toEqual(codes);
});

test("each reason comes with its facts", () => {
  const agents = [waits, agent("m2", "busy")];
  const why = whyPending({
    ...nothing,
    front: banned("m9", "m2", "m1"),
    agents,
    pausedSinceMs: 7,
    delayed: 3,
    nextAvailableMs: 9,
  });
  expect(why).toEqual([
    { code: "paused", message: expect.any(String), sinceMs: 7 },
    // Of the machines that are there; m9's ban ends before, and helps nobody.
    {
      code: "agents_banned",
      message: "the next job has failed, stalled or run out of time on every machine seen",
      jobId: "j",
      untilMs: 101,
    },
    { code: "retry_delay", message: "3 jobs wait for the retry delay after a failure", untilMs: 9 },
  ]);
});

test("who has not watched for long says so", () => {
  const [reason] = whyPending({ ...nothing, front: job(), watchedMs: 4_000 });
  expect(reason?.message).toContain("in the last 4 s; nobody has watched for longer");
  const [sure] = whyPending({ ...nothing, front: job() });
  expect(sure?.message).toBe("no agent has asked for work in the last 150 s");
});
