import { expect, test } from "vitest";
import { readArguments } from "../src/arguments.ts";

test.each([
  [[], { what: "agent" }],
  [["--version"], { what: "version" }],
  [["--help"], { what: "help" }],
  [["-h"], { what: "help" }],
  [["check"], { what: "check", options: { bucket: undefined, prefix: "kelpie-check/" } }],
  [
    ["check", "--bucket", "results", "--prefix", "a/"],
    { what: "check", options: { bucket: "results", prefix: "a/" } },
  ],
])("%j", (args, asked) => {
  expect(readArguments(args)).toEqual(asked);
});

test.each([
  [["chekc"], '"chekc" is no command'],
  [["check", "twice"], '"check twice" is no command'],
  [["--bucket", "results"], "go with check"],
  [["--verbose"], "--verbose"],
  // An image's entry point that is handed the job's command does not become an agent by mistake.
  [["python", "train.py"], '"python train.py" is no command'],
])("%j is not understood", (args, problem) => {
  expect(readArguments(args)).toEqual({ what: "unknown", problem: expect.stringContaining(problem) });
});
