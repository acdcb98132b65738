/**
 * A program that plays something on real processes and gives a verdict: whatever happens to it, Ctrl-C and a closed pipe
 * included, nothing is left behind, and one that has come to no verdict says so. Exit code 0 only when the play says that all is right.
 */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { killAllProcesses } from "./managed-process.ts";
import { makeTemporaryDirectory } from "./temporary-directory.ts";

export interface Play {
  /** True: all is right. */
  play(): Promise<boolean>;
  /** Leaves the terminal as it was. */
  closeScreen(): void;
  /** What the processes said last, for whoever must find out what went wrong. */
  tails(): string;
  /** Called when `play` threw: its logs are to survive the directory. Returns where they are. */
  keepLogs?(): string;
  /** Ends all that was started, also in the middle of starting. */
  clear(): Promise<void>;
}

/** 128 + the signal's number, as shells report it. */
const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
const exitCodeOfClosedOutput = 141; // As if SIGPIPE had ended it.
/** npm hands on what the terminal has sent to all of its processes anyway: one Ctrl-C arrives twice. */
const sameSignalMs = 300;

/** `name` appears in the directory's name and in messages. `open` gets an empty directory, which is removed at the end. */
export async function runToTheEnd(
  name: string,
  open: (directory: string, interrupted: AbortSignal) => Play,
): Promise<never> {
  const directory = makeTemporaryDirectory(join(tmpdir(), `kelpie-${name}-`));
  const interrupted = new AbortController();
  const interruption = Promise.withResolvers<never>();
  const stage = open(directory.path, interrupted.signal);
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
    stage.closeScreen();
    if (interrupted.signal.aborted) {
      console.log("stopped: no verdict");
    } else {
      const why = error instanceof Error ? error.message : error;
      console.error(`\nThe ${name} failed: ${why}\n${stage.tails()}`);
      const kept = stage.keepLogs?.();
      if (kept !== undefined) console.error(`Its logs are in ${kept}`);
    }
  } finally {
    await stage.clear();
    directory.remove();
  }
  process.exit(exitCode);
}
