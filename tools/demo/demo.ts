/**
 * `npm run demo`: an API, a dozen jobs, nodes that get killed in the middle of them, and a judge that trusts nobody.
 * Exit code 0 only if every result is right. Whatever happens, Ctrl-C included, nothing is left behind.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Stage } from "./stage.ts";

/** 128 + the signal's number, as shells report it. */
const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

const directory = mkdtempSync(join(tmpdir(), "kelpie-demo-"));
const interrupted = new AbortController();
const stage = new Stage(directory, interrupted.signal);
let exitCode = 1;

const interruption = new Promise<never>((_, reject) => {
  for (const [signal, code] of Object.entries(exitCodes)) {
    process.on(signal, () => {
      // Asked twice: leave at once. The guardian (tools/processes) ends what was started.
      if (interrupted.signal.aborted) process.exit(code);
      exitCode = code;
      interrupted.abort();
      reject(interrupted.signal.reason);
    });
  }
});

try {
  exitCode = (await Promise.race([stage.play(), interruption])) ? 0 : 1;
} catch (error) {
  if (!interrupted.signal.aborted) {
    stage.closeScreen();
    console.error(`\nThe demo failed: ${error instanceof Error ? error.message : error}\n${stage.tails()}`);
  }
} finally {
  await stage.clear();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}
process.exit(exitCode);
