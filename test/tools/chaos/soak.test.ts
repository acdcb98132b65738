/** The soak's verdict; the soak itself is `npm run chaos -- --soak 1000`. */
import { expect, it } from "vitest";
import { bounds, brokenBounds, tinyJob } from "../../../tools/chaos/soak/soak.ts";

const mib = 1024 ** 2;
const seen = (...heapMib: number[]) =>
  heapMib.map((live, index) => ({
    jobs: index * 200,
    liveBytes: live * mib,
    residentBytes: (80 + live) * mib,
  }));

it("is content with what stays as it was after the first fifth, however much the start took", () => {
  expect(brokenBounds(seen(10, 30, 30, 31, 30, 30.5), 0.1)).toEqual([]);
});

it("finds a leak of 4 KB a job", () => {
  expect(brokenBounds(seen(10, 30, 30.8, 31.6, 32.4, 33.2), 0.1)).toEqual([
    "the live heap grew by 3.2 MiB from job 200 to 1000; 2.0 MiB at most",
  ]);
});

it("finds memory outside of the heap that is not given back", () => {
  const all = seen(10, 30, 30, 30, 30, 30).map((one) => ({ ...one, residentBytes: one.jobs * mib * 0.1 }));
  expect(brokenBounds(all, 0.1)).toEqual([expect.stringContaining("resident memory grew by 80.0 MiB")]);
});

it("finds an agent that is busy with nothing", () => {
  expect(brokenBounds(seen(10, 30, 30), bounds.idleCpuPercent + 0.1)).toEqual([
    "idle, it takes 0.60 % of a core; 0.5 % at most",
  ]);
});

it("does not judge what it has not seen", () => {
  expect(brokenBounds(seen(10), 0.1)).toEqual([expect.stringContaining("too few jobs")]);
});

it("gives jobs of several slots directories of their own, so that they run side by side", () => {
  const directories = (number: number) => {
    const { during, after } = tinyJob(number, 4).sync;
    return [...during, ...after].map((rule) => rule.local_path);
  };
  expect(new Set([...directories(0), ...directories(1)]).size).toBe(4);
});
