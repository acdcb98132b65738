// A checkpoint of two files that must belong together, both written in place: weights.bin, in pieces, then latest.json, which
// names the step and the hash of the weights. Several saves a second, in bursts with a pause after each.
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, writeFileSync, writeSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { bytesOf, isTold, number, record, refuse, sha256 } from "./program.mjs";

const weightsPath = "checkpoint/weights.bin";
const latestPath = "checkpoint/latest.json";
const pieces = 4;

let stopping = false;
process.on("SIGTERM", () => {
  stopping = true;
});

mkdirSync("checkpoint", { recursive: true });
let step = 0;
if (existsSync(weightsPath) || existsSync(latestPath)) {
  step = resumedStep();
  record("resume", { step });
} else record("start", { step });

while (!isTold("end")) {
  if (stopping) {
    record("stop", { step });
    process.exit(143);
  }
  step += 1;
  await save();
  record("save", { step });
  await sleep(step % number("BURST") === 0 ? number("PAUSE_MS") : number("STEP_MS"));
}
record("done", { step });

async function save() {
  const weights = bytesOf(`weights ${step}`, number("WEIGHTS_BYTES"));
  const file = openSync(weightsPath, existsSync(weightsPath) ? "r+" : "w");
  const size = weights.length / pieces;
  for (let piece = 0; piece < pieces; piece += 1) {
    writeSync(file, weights, piece * size, size, piece * size);
    await sleep(number("PIECE_MS"));
  }
  closeSync(file);
  writeFileSync(latestPath, JSON.stringify({ step, sha256: sha256(weights) }));
}

function resumedStep() {
  if (!existsSync(weightsPath) || !existsSync(latestPath)) refuse("one file of the pair is missing");
  const latest = JSON.parse(readFileSync(latestPath, "utf8"));
  const weights = readFileSync(weightsPath);
  if (sha256(weights) !== latest.sha256) refuse(`the weights are not those of step ${latest.step}`);
  if (!weights.equals(bytesOf(`weights ${latest.step}`, number("WEIGHTS_BYTES")))) refuse("foreign weights");
  return latest.step;
}
