/**
 * PID 1 of a container inherits every orphan in it and must reap them, or they stay as zombies until process ids run out. Node reaps only
 * its own children. So an agent that is PID 1 makes room: it becomes a small shell that runs the agent as its child, passes signals on, reaps, and
 * ends with the agent's exit code, if it ended by itself. No image needs an init of its own for this.
 *
 * Runs before anything else is loaded, and imports only Node's own modules. A signal in these first milliseconds is lost: the kernel
 * keeps signals from a PID 1 that has no handler yet, so nothing could be done about it.
 */
import { accessSync, constants } from "node:fs";
import { isSea } from "node:sea";

const shell = "/bin/sh";

/**
 * POSIX. A `wait` that a trap has cut short tells nothing of the agent, so it is repeated for as long as the agent is there (a zombie
 * is); shells differ in who may ask twice for one exit code, hence the last `wait`. An agent that was told to stop before it could
 * listen has stopped as told; one that was killed may owe that to a job, and SaladCloud blocks a node whose container ends with anything but 0.
 */
const script = `
told=
trap 'told=1; kill -TERM "$agent" 2>/dev/null' TERM
trap 'told=1; kill -INT "$agent" 2>/dev/null' INT
"$@" &
agent=$!
while :; do
  wait "$agent"
  code=$?
  kill -0 "$agent" 2>/dev/null || break
done
wait "$agent" 2>/dev/null
again=$?
[ "$again" -eq 127 ] || code=$again
if [ "$code" -gt 128 ]; then
  [ -n "$told" ] || echo '{"severity":"ERROR","message":"the agent was killed, perhaps for want of memory; leaving, to be started anew"}'
  code=0
fi
exit "$code"
`;

/** Returns at once unless the agent is PID 1; then it does not return, or only where there is no shell. */
export function leavePidOne(): void {
  if (process.pid !== 1) return;
  try {
    accessSync(shell, constants.X_OK);
  } catch {
    warn(
      `no ${shell} here: orphans of jobs will stay as zombies. Start the container with an init (docker run --init)`,
    );
    return;
  }
  // A single executable repeats itself in place of a script.
  const own = isSea() ? process.argv.slice(2) : [...process.execArgv, ...process.argv.slice(1)];
  // Does not return; "kelpie-init" is the shell's $0.
  process.execve?.(shell, [shell, "-c", script, "kelpie-init", process.execPath, ...own], environment());
  warn("this Node cannot make room for an init: orphans of jobs will stay as zombies");
}

function environment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** As log.ts writes, which is not loaded yet. */
function warn(message: string): void {
  process.stdout.write(`${JSON.stringify({ severity: "WARN", time: new Date().toISOString(), message })}\n`);
}
