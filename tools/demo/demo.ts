/**
 * `npm run demo`: an API, a dozen jobs, nodes that get killed in the middle of them, and a judge that trusts nobody.
 * Exit code 0 only if every result is right. Whatever happens, Ctrl-C included, nothing is left behind.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killAllProcesses } from "../processes/managed-process.ts";
import { makeTemporaryDirectory } from "../processes/temporary-directory.ts";
import { Stage } from "./stage.ts";

/** 128 + the signal's number, as shells report it. */
const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
const exitCodeOfClosedOutput = 141; // As if SIGPIPE had ended it.
/** npm hands on what the terminal has sent to all of its processes anyway: one Ctrl-C arrives twice. */
const sameSignalMs = 300;

const directory = makeTemporaryDirectory(join(tmpdir(), "kelpie-demo-"));
const interrupted = new AbortController();
const interruption = Promise.withResolvers<never>();
const stage = new Stage(directory.path, interrupted.signal);
let exitCode = 1;
let interruptedMs = 0;

function interrupt(code: number): void {
  if (interrupted.signal.aborted) return;
  exitCode = code;
  interruptedMs = Date.now();
  interrupted.abort();
  interruption.reject(interrupted.signal.reason);
}

for (const [signal, code] of Object.entries(exitCodes)) {
  process.on(signal, () => {
    // Asked twice: leave at once.
    if (interrupted.signal.aborted && Date.now() - interruptedMs > sameSignalMs) {
      killAllProcesses();
      directory.remove();
      process.exit(code);
    }
    interrupt(code);
  });
}
// Nobody reads any more (`| head`, a closed terminal): there is nobody to play for.
for (const output of [process.stdout, process.stderr]) {
  output.on("error", () => interrupt(exitCodeOfClosedOutput));
}

try {
  exitCode = (await Promise.race([stage.play(), interruption.promise])) ? 0 : 1;
} catch (error) {
  if (!interrupted.signal.aborted) {
    stage.closeScreen();
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : error}\n${stage.tails()}`);
  }
} finally {
  await stage.clear();
  directory.remove();
}
process.exit(exitCode);
