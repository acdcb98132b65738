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
  [["check", "--bucket=-odd"], { what: "check", options: { bucket: "-odd", prefix: "kelpie-check/" } }],
])("%j", (args, asked) => {
  expect(readArguments(args)).toEqual(asked);
});

test.each([
  [["chekc"], '"chekc" is no command'],
  [["check", "twice"], '"check twice" is no command'],
  [["--bucket", "results"], "--bucket and --prefix go with check"],
  [["--verbose"], 'unknown option "--verbose"'],
  [["check", "--buckt", "results"], 'unknown option "--buckt" (is --bucket meant?)'],
  [["check", "--buckt=results"], 'unknown option "--buckt" (is --bucket meant?)'],
  [["check", "-b", "results"], 'unknown option "-b"'],
  [["check", "--bucket"], "--bucket needs a value"],
  [["check", "--bucket", "--prefix", "a/"], "--bucket needs a value"],
  [["--help=yes"], "--help takes no value"],
  // An image's entry point that is handed the job's command does not become an agent by mistake.
  [["python", "train.py"], '"python train.py" is no command'],
])("%j is not understood", (args, problem) => {
  expect(readArguments(args)).toEqual({ what: "unknown", problem });
});
