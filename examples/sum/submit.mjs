#!/usr/bin/env node
// Sends jobs from a CSV file, 1,000 per request, and writes their ids to submitted.csv:
//   node --env-file=submitter.env submit.mjs jobs.csv [--skip ROWS]
// The file has the columns name,n,step_seconds; names are used in the bucket's keys and must differ.

import { appendFileSync, readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const batchSize = 1000; // the most that the API takes at once: all or none of them are queued

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { skip: { type: "string", default: "0" } },
});
const apiUrl = setting("KELPIE_API_URL").replace(/\/+$/, "");
const apiKey = setting("KELPIE_API_KEY");
const group = setting("CONTAINER_GROUP_ID");
// Empty: managed storage, and nobody needs S3 keys.
const bucket = process.env.BUCKET || undefined;
const prefix = process.env.PREFIX ?? "";
const [command, ...commandArguments] = (process.env.COMMAND || "node sum.mjs").split(" ");
const heartbeatInterval = Number(process.env.HEARTBEAT_INTERVAL || 30);

const rows = readRows(positionals[0] ?? "jobs.csv");
for (let sent = Number(values.skip); sent < rows.length; ) {
  const batch = rows.slice(sent, sent + batchSize);
  const jobs = await submit(batch.map(jobOf), sent);
  appendFileSync("submitted.csv", jobs.map((job, index) => `${batch[index].name},${job.id}\n`).join(""));
  sent += batch.length;
  console.log(`${sent} of ${rows.length} jobs submitted`);
}

function jobOf({ name, n, step_seconds }) {
  const checkpoints = {
    bucket,
    prefix: `${prefix}${name}/checkpoints/`,
    local_path: "./checkpoints",
    pattern: "\\.json$", // whole checkpoints; the program writes beside them under other names
    // With a bucket each file by itself; in managed storage the directory as a whole, in generations.
    mode: bucket ? "mirror" : "snapshot",
  };
  // Often, for a program that saves every second: once nothing has been written for 0.2 s, every 5 s at most.
  const often = bucket ? {} : { quiet_seconds: 0.2, min_interval_seconds: 5 };
  return {
    container_group_id: group,
    command,
    arguments: commandArguments,
    environment: {
      N: n,
      STEP_SECONDS: step_seconds,
      CHECKPOINT_PATH: "./checkpoints",
      OUTPUT_PATH: "./output",
    },
    heartbeat_interval: heartbeatInterval,
    sync: {
      // Before the command: what an earlier attempt has saved. During it: each checkpoint as it appears. After it: the output.
      before: [{ ...checkpoints, direction: "download" }],
      during: [{ ...checkpoints, direction: "upload", ...often }],
      after: [{ bucket, prefix: `${prefix}${name}/output/`, local_path: "./output", direction: "upload" }],
    },
  };
}

/** Only a refusal for haste (429) is tried again: after any other trouble the batch may have been queued. */
async function submit(jobs, sent) {
  for (;;) {
    let answer;
    try {
      answer = await fetch(`${apiUrl}/jobs/batch`, {
        method: "POST",
        headers: { "X-Kelpie-Key": apiKey, "Content-Type": "application/json" },
        body: JSON.stringify(jobs),
      });
    } catch (error) {
      fail(
        `${error.cause?.message ?? error.message}. See with GET /jobs whether row ${sent + 1} was queued; then go on with --skip`,
      );
    }
    if (answer.ok) return answer.json();
    if (answer.status !== 429)
      fail(`The API answered ${answer.status} to rows ${sent + 1} and on: ${await answer.text()}`);
    const seconds = Number(answer.headers.get("Retry-After")) || 5;
    console.log(`too fast, waiting ${seconds} s`);
    await sleep(seconds * 1000);
  }
}

function readRows(path) {
  const [header, ...lines] = readFileSync(path, "utf8").trim().split(/\r?\n/);
  const columns = header.split(",").map((column) => column.trim());
  for (const needed of ["name", "n", "step_seconds"]) {
    if (!columns.includes(needed)) fail(`${path} has no column "${needed}"`);
  }
  const rows = lines.map((line) => {
    const cells = line.split(",").map((cell) => cell.trim());
    return Object.fromEntries(columns.map((column, index) => [column, cells[index] ?? ""]));
  });
  if (new Set(rows.map(({ name }) => name)).size < rows.length)
    fail(`${path}: each job needs a name of its own`);
  return rows;
}

function setting(name) {
  return process.env[name] || fail(`${name} is not set: run with --env-file=submitter.env`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
