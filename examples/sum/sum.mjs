#!/usr/bin/env node
// Adds up 1 + 2 + … + N, one step at a time: a stand-in for a training or a simulation that runs for days on
// machines that may vanish at any moment. What a job must do to survive that is all here:
//   - after each step it writes a checkpoint, whole or not at all;
//   - when it starts, it goes on from the newest checkpoint that it finds;
//   - asked to stop (SIGTERM, SIGINT), it finishes the step at hand and leaves.
// The agent does the rest: it brings the checkpoints before the start, takes them away as they appear, and takes the output at the end.
//
// N               steps to add up (required)
// STEP_SECONDS    how long one step takes (default 1)
// SUM_SPEED       how fast this node computes: a step takes STEP_SECONDS / SUM_SPEED. A real program has no such thing, its GPU
//                 is as fast as it is; the lab sets it on its nodes (default 1)
// CHECKPOINT_PATH directory of the checkpoints (default: CHECKPOINT_DIR, else ./checkpoints)
// OUTPUT_PATH     directory of the output (default: OUTPUT_DIR, else ./output)
// SUM_LOG         a file that gets a line of JSON per event, to be judged by others (optional)

import {
  appendFileSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const steps = readNumber("N", undefined, Number.isInteger);
const stepSeconds = readNumber("STEP_SECONDS", 1, Number.isFinite);
const speed = readNumber("SUM_SPEED", 1, Number.isFinite);
if (speed === 0) {
  console.error("SUM_SPEED must be a number above 0");
  process.exit(2);
}
const checkpointDirectory = process.env.CHECKPOINT_PATH || process.env.CHECKPOINT_DIR || "./checkpoints";
const outputDirectory = process.env.OUTPUT_PATH || process.env.OUTPUT_DIR || "./output";

let stopSignal = "";
process.on("SIGTERM", () => (stopSignal = "SIGTERM"));
process.on("SIGINT", () => (stopSignal = "SIGINT"));

mkdirSync(checkpointDirectory, { recursive: true });
mkdirSync(outputDirectory, { recursive: true });

let { step, sum } = newestCheckpoint() ?? { step: 0, sum: 0 };
record(step > 0 ? "resume" : "start");
console.log(step > 0 ? `going on after step ${step} of ${steps}` : `starting: ${steps} steps`);

while (step < steps) {
  if (stopSignal) {
    record("stop");
    console.log(`${stopSignal}: leaving after step ${step}`);
    process.exit(stopSignal === "SIGTERM" ? 143 : 130); // 128 + the signal's number, as shells do
  }
  const startedMs = performance.now();
  await sleep((stepSeconds / speed) * 1000); // the work
  step += 1;
  sum += step;
  record("step", Math.round(performance.now() - startedMs));
  writeWhole(checkpointDirectory, `step-${String(step).padStart(6, "0")}.json`, { step, sum });
}

writeWhole(outputDirectory, "sum.json", { n: steps, sum });
record("done");
console.log(`done: the sum is ${sum}`);

/** The newest checkpoint that can be read; one that cannot is passed over for the one before. */
function newestCheckpoint() {
  const names = readdirSync(checkpointDirectory).filter((name) => /^step-\d+\.json$/.test(name));
  const number = (name) => Number(name.slice(5, -5));
  for (const name of names.sort((a, b) => number(b) - number(a))) {
    try {
      const { step, sum } = JSON.parse(readFileSync(join(checkpointDirectory, name), "utf8"));
      if (Number.isInteger(step) && Number.isInteger(sum)) return { step, sum };
      console.error(`${name} is not a checkpoint of this program`);
    } catch (error) {
      console.error(`${name} cannot be read: ${error.message}`);
    }
  }
  return null;
}

/**
 * Write beside, flush, rename: at every moment the file is absent or whole, also after a power cut. The name in the
 * meantime does not end in ".json", so that a sync rule with the pattern "\.json$" never sees it.
 */
function writeWhole(directory, name, content) {
  const temporary = join(directory, `.${name}.tmp`);
  const file = openSync(temporary, "w");
  writeSync(file, `${JSON.stringify(content)}\n`);
  fsyncSync(file);
  closeSync(file);
  renameSync(temporary, join(directory, name));
}

/** One line per event, appended and never changed: what others judge this run by. */
function record(event, ms) {
  if (!process.env.SUM_LOG) return;
  const who = {
    job: process.env.KELPIE_JOB_ID ?? "",
    pid: process.pid,
    machine: process.env.SALAD_MACHINE_ID ?? "",
  };
  const line = { time: new Date().toISOString(), ...who, event, step, sum, ms };
  appendFileSync(process.env.SUM_LOG, `${JSON.stringify(line)}\n`);
}

function readNumber(name, fallback, isValid) {
  const text = process.env[name];
  const number = text === undefined || text === "" ? fallback : Number(text);
  if (number !== undefined && isValid(number) && number >= 0) return number;
  console.error(`${name} must be a number, 0 or more${text === undefined ? "" : `, not "${text}"`}`);
  process.exit(2);
}
