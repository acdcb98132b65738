/** Who is of a command's family, by what /proc shows. */
import { expect, test } from "vitest";
import { type FamilyTies, findFamily } from "../src/process-family.ts";
import type { Process } from "../src/process-table.ts";

const agent = { pid: 10, start: 1, session: 5 };
const head = { pid: 100, start: 50 };

/** `pid parent session start`; the group is the session's. */
function processes(...lines: string[]): Process[] {
  const all = [`${agent.pid} 1 ${agent.session} ${agent.start}`, ...lines];
  return all.map((line) => {
    const [pid = 0, parent = 0, session = 0, start = 0] = line.split(" ").map(Number);
    return { pid, parent, group: session, session, start, zombie: false };
  });
}

function family(lines: string[], ties: Partial<FamilyTies> = {}): number[] {
  const isKnown = ({ pid, start }: Process) => pid === head.pid && start === head.start;
  const settings = { self: agent.pid, head, isKnown, isMarked: () => false, ...ties };
  return findFamily(processes(...lines), settings)
    .map(({ pid }) => pid)
    .sort((one, other) => one - other);
}

test("descendants, whatever their sessions", () => {
  expect(family(["100 10 100 50", "101 100 100 51", "102 101 102 52", "103 102 103 53"])).toEqual([
    100, 101, 102, 103,
  ]);
});

test("the session's others once its leader is gone", () => {
  expect(family(["101 1 100 51", "102 1 100 52"])).toEqual([101, 102]);
});

test("who is seen by the mark brings the others of its session, and its children", () => {
  const isMarked = ({ pid }: Process) => pid === 201;
  expect(family(["201 1 200 60", "202 1 200 61", "203 202 203 62"], { isMarked })).toEqual([201, 202, 203]);
});

test("the agent, its other children, and strangers are none of it", () => {
  expect(family(["100 10 100 50", "110 10 5 51", "120 1 120 52", "121 120 120 53"])).toEqual([100]);
});

test("the head's pid is another process's by now: neither that nor its session is of the family", () => {
  expect(family(["100 1 100 90", "101 100 100 91"])).toEqual([]);
});

test("a process older than the command cannot be its child: the parent's pid is used again", () => {
  expect(family(["100 10 100 50", "130 100 130 20"])).toEqual([100]);
});

test("a marked process in the agent's own session does not bring the session's others", () => {
  const isMarked = ({ pid }: Process) => pid === 140;
  expect(family(["140 1 5 60", "141 1 5 61"], { isMarked })).toEqual([140]);
});

test("a marked process of a session from outside the container (0) does not bring those", () => {
  const isMarked = ({ pid }: Process) => pid === 140;
  expect(family(["140 1 0 60", "141 1 0 61"], { isMarked })).toEqual([140]);
});
