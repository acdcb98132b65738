/** What became of an attempt, by the error that ended it. */

import { expect, onTestFinished, test } from "vitest";
import { createClock } from "../src/clock.ts";
import { DirectoryRefused } from "../src/directories.ts";
import { PathBusy } from "../src/directory-locks.ts";
import { endingOfError } from "../src/ending.ts";
import { Trust } from "../src/lease/trust.ts";
import { createLog } from "../src/log.ts";
import { AttemptProgress } from "../src/progress/attempt-progress.ts";
import { LocalFailure } from "../src/transfer/failures.ts";

const systemError = (code: string) => Object.assign(new Error(code), { code, syscall: "open" });

function endOf(error: unknown): string {
  const trust = new Trust({ clock: createClock(), tickMs: 1000, maxUntrustedMs: 1000, onLapse: () => {} });
  onTestFinished(() => trust.close());
  const progress = new AttemptProgress();
  const lease = { jobId: "job", attempt: 1, token: "token", termMs: 1000, trust, progress };
  const log = createLog({ level: "silent" });
  return endingOfError(error, { lease, stopping: new AbortController().signal, log }).end;
}

test.each<[string, unknown, string]>([
  ["a full disk", systemError("ENOSPC"), "released"],
  [
    "a full disk while a link's content is copied",
    new LocalFailure("out/a", systemError("ENOSPC")),
    "released",
  ],
  ["a name too long", systemError("ENAMETOOLONG"), "failed"],
  ["an output that cannot be read", new LocalFailure("out/a", systemError("EACCES")), "failed"],
  ["another agent in the directory", new PathBusy("/data", 7), "released"],
  ["a directory that must not be cleared", new DirectoryRefused("no"), "failed"],
])("%s", (_, error, end) => expect(endOf(error)).toBe(end));
