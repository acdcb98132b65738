/** What machines are: drawn once, theirs for as long as they are there. */
import { describe, expect, test } from "vitest";
import { Random } from "../simulation/world/random.ts";
import { createCloud } from "./cloud.ts";
import { type Hardware, medianLine, speedAt, usualHardware } from "./hardware.ts";
import { Machines } from "./machines.ts";

describe("speeds of one model of GPU", () => {
  test.each([
    [0, 0.613],
    [0.1, 0.78],
    [0.3, 0.85],
    [0.5, 0.92],
    [0.75, 0.96],
    [1, 1],
  ])("a share of %f is no faster than %f", (share, speed) => {
    expect(speedAt(share)).toBeCloseTo(speed, 3);
  });

  test("the slowest takes 1.5 times as long as the median, and none beats the card at its best", () => {
    expect(speedAt(0.5) / speedAt(0)).toBeCloseTo(1.5);
    const random = new Random(3);
    const drawn = Array.from({ length: 10_000 }, () => speedAt(random.next()));
    expect(Math.min(...drawn)).toBeGreaterThan(0.6);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(1);
  });
});

/** Machines of a seed, and how often they asked for a draw. */
function seeded(seed: number) {
  const random = new Random(seed);
  let serial = 0;
  let draws = 0;
  const hardware = (): Hardware => {
    draws++;
    return { speed: speedAt(random.next()), line: medianLine };
  };
  const machines = new Machines({ hardware, newId: () => `machine-${++serial}` });
  return { machines, draws: () => draws };
}

test("the same seed is the same machines", () => {
  const speeds = (seed: number) => {
    const { machines } = seeded(seed);
    return [1, 2, 3].map((n) => machines.hardwareOf(machines.take(`i${n}`, "acme", 0) ?? "").speed);
  };
  expect(speeds(5)).toEqual(speeds(5));
  expect(speeds(5)).not.toEqual(speeds(6));
  expect(new Set(speeds(5)).size).toBe(3);
});

test("a machine keeps what it is, whichever instance it runs", () => {
  const { machines, draws } = seeded(5);
  const id = machines.take("first", "acme", 0) ?? "";
  const { speed } = machines.hardwareOf(id);
  machines.hand(id, "restarted");
  expect(machines.hardwareOf(id).speed).toBe(speed);
  machines.release(id);
  expect(machines.take("later", "acme", 0)).toBe(id);
  expect(machines.hardwareOf(id).speed).toBe(speed);
  expect(draws()).toBe(1);
  machines.remove(id);
  expect(machines.take("after it", "acme", 0)).not.toBe(id);
  expect(draws()).toBe(2);
});

test("nothing is slow unless asked for", () => {
  const { machines } = createCloud();
  expect(machines.hardwareOf(machines.take("one", "acme", 0) ?? "")).toEqual(usualHardware);
});
