// Each step saves a large new file beside those of the two steps before, so that there is always something to upload.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { bytesOf, isTold, number, record, refuse } from "./program.mjs";

const directory = "checkpoint";
const nameOf = (step) => `step-${String(step).padStart(4, "0")}.bin`;
const contentOf = (step) => bytesOf(`bulk ${step}`, number("FILE_BYTES"));
const kept = 3;

let stopping = false;
process.on("SIGTERM", () => {
  stopping = true;
});

mkdirSync(directory, { recursive: true });
const found = readdirSync(directory)
  .filter((name) => name.endsWith(".bin"))
  .sort();
let step = found.length === 0 ? 0 : Number(/\d+/.exec(found.at(-1))?.[0]);
for (const name of found) {
  const of = Number(/\d+/.exec(name)?.[0]);
  if (!readFileSync(`${directory}/${name}`).equals(contentOf(of))) refuse(`${name} holds other bytes`);
}
if (found.length < Math.min(step, kept)) refuse(`only ${found.length} files at step ${step}`);
record(step === 0 ? "start" : "resume", { step });

while (!isTold("end")) {
  if (stopping) {
    record("stop", { step });
    process.exit(143);
  }
  step += 1;
  writeFileSync(`${directory}/.saving`, contentOf(step));
  renameSync(`${directory}/.saving`, `${directory}/${nameOf(step)}`);
  const old = `${directory}/${nameOf(step - kept)}`;
  if (existsSync(old)) rmSync(old);
  record("step", { step });
  await sleep(number("STEP_MS"));
}
mkdirSync("results", { recursive: true });
writeFileSync("results/result.json", JSON.stringify({ step, files: readdirSync(directory).length }));
record("done", { step });
