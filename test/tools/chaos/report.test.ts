import { expect, it } from "vitest";
import { judge } from "../../../tools/chaos/judge/judge.ts";
import { reportOf } from "../../../tools/chaos/report.ts";
import { rightEvidence } from "./evidence.ts";

it("the report tells each promise by its number, in aligned columns", () => {
  const lines = reportOf(judge(rightEvidence()), { seed: 7, seconds: 61 }).split("\n");
  const rows = new Map(lines.map((text) => [text.slice(0, 31).trim(), text.slice(31)]));
  expect(Object.fromEntries(rows)).toMatchObject({
    seed: "7",
    "faults injected": "2 (1 of them together with another one)",
    cut: "  1  1 jobs went on elsewhere after 20.0 / 20.0 / 20.0 s (min / median / max); 0 stayed",
    frozen: "  0",
    "jobs submitted": "1",
    "jobs completed": "1",
    "jobs lost": "0",
    "ended twice": "0",
    "zombie effects refused": "2 (1 reports, 1 renewals); 0 writes broken off",
    "zombie effects let through": "0; 0 writes under way at the hand-over landed",
    "checkpoints forgotten": "0",
    "steps computed twice": "1 (7 computed, 6 needed)",
  });
});
