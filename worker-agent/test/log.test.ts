import { expect, test } from "vitest";
import { createLog } from "../src/log.ts";

test("lines are JSON with severity, time and message, and keep the fields of their job", () => {
  const lines: string[] = [];
  const log = createLog({ level: "info", write: (line) => lines.push(line) });
  log.debug("too fine");
  log.with({ job_id: "j", attempt: 2 }).warn("look", { reason: "r" });
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    {
      severity: "WARN",
      time: expect.stringMatching(/Z$/),
      message: "look",
      job_id: "j",
      attempt: 2,
      reason: "r",
    },
  ]);
});

test("a secret that slipped into an error message does not reach the log", () => {
  const lines: string[] = [];
  const log = createLog({ level: "info", secrets: ['pass"word-1', ""], write: (line) => lines.push(line) });
  log.error('refused: pass"word-1');
  expect(JSON.parse(lines[0] ?? "").message).toBe("refused: [secret]");
});
