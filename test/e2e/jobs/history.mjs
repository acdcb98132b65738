// Each step appends a record to checkpoint/history.bin, behind a head that never changes. The results tell who finished.
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { bytesOf, isTold, number, record, refuse } from "./program.mjs";

const head = bytesOf("head", number("HEAD_BYTES"));
const recordOf = (step) => bytesOf(`step ${step}`, number("RECORD_BYTES"));
const path = "checkpoint/history.bin";

mkdirSync("checkpoint", { recursive: true });
let step = 0;
if (existsSync(path)) {
  step = resumedStep(readFileSync(path));
  record("resume", { step });
} else {
  writeFileSync(path, head);
  record("start", { step });
}

while (!isTold("end")) {
  step += 1;
  appendFileSync(path, recordOf(step));
  record("step", { step });
  await sleep(number("STEP_MS"));
}

mkdirSync("results", { recursive: true });
const { SALAD_MACHINE_ID: machine } = process.env;
writeFileSync("results/result.json", JSON.stringify({ step, machine }));
writeFileSync(`results/by-${machine}.txt`, "whoever sees this sees what this machine has uploaded");
record("done", { step });

function resumedStep(history) {
  const steps = (history.length - head.length) / number("RECORD_BYTES");
  if (!Number.isInteger(steps) || steps < 0) refuse(`${history.length} bytes are no whole number of records`);
  const records = Array.from({ length: steps }, (_, index) => recordOf(index + 1));
  if (!history.equals(Buffer.concat([head, ...records]))) refuse("the history holds other bytes");
  return steps;
}
