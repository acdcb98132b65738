/** `npm run dev -- --port N --persist-to DIR --var NAME:VALUE …`: the API on this machine, until Ctrl-C. */
import { resolve } from "node:path";
import { type DevArguments, parseDevArguments } from "./dev-arguments.ts";
import { localBucket, startLocalApi } from "./local-api.ts";
import { projectRoot } from "./project.ts";

/** 128 + the signal's number, as shells report it. */
const signalNumbers: Partial<Record<NodeJS.Signals, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGKILL: 9,
  SIGTERM: 15,
};

const given = readArguments();
// Before the API is up there is nothing to hand back: just leave (the guardian ends what was started).
const leave = (signal: NodeJS.Signals) => process.exit(128 + (signalNumbers[signal] ?? 0));
const stopSignals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
for (const signal of stopSignals) process.once(signal, leave);

console.log("Starting the API on this machine …");
// Held back until it is up: a failure tells its reason first, and then wrangler's words once.
const heldLines: string[] = [];
let say = (line: string): void => {
  heldLines.push(line);
};

const api = await startLocalApi({
  port: given.port ?? 8787,
  ip: given.ip,
  persistTo: resolve(projectRoot, given.persistTo ?? ".wrangler/state"),
  vars: given.vars,
  devArguments: given.rest,
  onLine: (line) => say(line),
}).catch(fail);
say = (line) => console.log(line);
heldLines.forEach(say);

let stopping: NodeJS.Signals | undefined;
for (const signal of stopSignals) {
  process.removeListener(signal, leave);
  process.on(signal, () => {
    // A second Ctrl-C does not wait.
    if (stopping) api.kill();
    else api.stop();
    stopping = signal;
  });
}

console.log(`
ready: ${api.url}
  admin key (X-Kelpie-Key)  ${api.adminKey}
  S3 endpoint               ${api.s3Endpoint}
  bucket                    ${localBucket.bucket} (region ${localBucket.region})
  access key id, secret     ${localBucket.accessKeyId}, ${localBucket.secretAccessKey}
`);

const { code, signal } = await api.exited;
process.exit(code ?? 128 + (signalNumbers[stopping ?? signal ?? "SIGKILL"] ?? 0));

function readArguments(): DevArguments {
  try {
    return parseDevArguments(process.argv.slice(2));
  } catch (error) {
    return fail(error);
  }
}

function fail(error: unknown): never {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
