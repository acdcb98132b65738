/** What the simulated day is made of, by itself. */
import { describe, expect, it } from "vitest";
import { hour, minute } from "../scenario.ts";
import { parseTraces } from "../traces/trace-file.ts";
import { Random } from "../world/random.ts";
import { recordedChurn } from "./churn.ts";
import { day, planDay } from "./day-plan.ts";
import { drawStartUp, startUpMs } from "./start-up.ts";

describe("start-up", () => {
  it.each([
    [0, 2],
    [0.25, 6],
    [0.5, 10],
    [0.8, 20],
    [0.9, 40],
    [1, 80],
  ])("a share of %f runs after %f minutes", (share, minutes) => {
    expect(startUpMs(share)).toBeCloseTo(minutes * minute);
  });

  it("its phases add up", () => {
    const { allocatingMs, downloadingMs, creatingMs } = drawStartUp(new Random(5));
    expect(allocatingMs + downloadingMs + creatingMs).toBe(Math.round(startUpMs(new Random(5).next())));
  });
});

describe("recorded churn", () => {
  const segment = (machine: string, fromHour: number, toHour: number) => ({
    ...{ machine, down_mbps: 100, up_mbps: 10 },
    begin: new Date(fromHour * hour).toISOString().slice(0, -1),
    last_seen: new Date(toHour * hour).toISOString().slice(0, -1),
  });
  const job = (...segments: unknown[]) => ({
    ...{ source: "s", job: "j", compute_hours: 1, wall_hours: 2, segments },
  });
  const churnOf = (...jobs: unknown[]) => recordedChurn(parseTraces(JSON.stringify(jobs)));
  const draws = (churn: ReturnType<typeof churnOf>) => {
    const random = new Random(1);
    return Array.from({ length: 4_000 }, () => churn.lifeMs(random) / hour);
  };

  it("a last stay says only that it lasted so long", () => {
    // Ended after 2 h; seen for 1 h and for 5 h.
    const lives = draws(churnOf(job(segment("a", 0, 2), segment("b", 2, 3)), job(segment("c", 0, 5))));
    expect(new Set(lives)).toEqual(new Set([2, Number.POSITIVE_INFINITY]));
    // A third ended; of the third that was seen for 1 h half would have.
    expect(lives.filter((life) => life === 2).length / lives.length).toBeCloseTo(0.5, 1);
  });

  it("the same machine twice in a row never left", () => {
    const lives = draws(churnOf(job(segment("a", 0, 1), segment("a", 2, 4), segment("b", 4, 9))));
    expect(new Set(lives)).toEqual(new Set([4, Number.POSITIVE_INFINITY]));
  });
});

it("a day's plan is 200 jobs whose bursts leave room for nothing in between", () => {
  const plan = planDay(new Random(7), 0);
  expect(plan.flatMap(({ jobs, late }) => [...jobs, ...late])).toHaveLength(200);
  const times = plan.map(({ atMs }) => atMs);
  for (const [i, atMs] of times.entries()) {
    const next = times[i + 1] ?? Number.POSITIVE_INFINITY;
    expect(next - atMs).toBeGreaterThan(day.everyMs - day.jitterMs);
  }
  expect(times.at(-1)).toBeLessThan(20 * hour);
});
