/** What an agent costs its node: read from /proc, and of its heap from itself. Linux alone. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { agentNodeOptions } from "../../agent-build/node-options.ts";
import type { LocalAgent } from "../../local-agent.ts";
import { projectRoot } from "../../project.ts";

/** /proc counts in these, whatever the kernel's own tick: the ABI's USER_HZ. */
const ticksPerSecond = 100;

/** Percent of one core over so long. */
export async function idleCpuPercent(pid: number, overMs: number): Promise<number> {
  const startedMs = performance.now();
  const before = cpuTicks(pid);
  await sleep(overMs);
  const seconds = (performance.now() - startedMs) / 1000;
  return ((cpuTicks(pid) - before) / ticksPerSecond / seconds) * 100;
}

/** User and system time of all of its threads; of its children nothing. */
function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // After "pid (name) ", whose name may hold anything: state is field 3, utime 14, stime 15.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

const marker = "live heap of the soak:";

/** On SIGUSR2 collects all garbage and tells what is left. Loaded before the agent, which knows nothing of it. */
const teller = `data:text/javascript,${encodeURIComponent(`
  process.on("SIGUSR2", () => {
    globalThis.gc();
    process.stderr.write("${marker} " + process.memoryUsage().heapUsed + "\\n");
  });
`)}`;

/** The sources, started as the binary is, with a heap that can be asked after: for `LocalAgentOptions.program`. */
export const programThatTellsItsHeap: [string, ...string[]] = [
  process.execPath,
  ...agentNodeOptions,
  "--expose-gc",
  `--import=${teller}`,
  `${projectRoot}/worker-agent/src/main.ts`,
];

/** Listens to the agent's lines for what the teller says. */
export class HeapTeller {
  #told = Promise.withResolvers<number>();

  hear(line: string): void {
    if (line.startsWith(marker)) this.#told.resolve(Number(line.slice(marker.length)));
  }

  /** Of live objects; everything else has been collected. */
  async liveBytes(agent: Pick<LocalAgent, "signal" | "exited">): Promise<number> {
    this.#told = Promise.withResolvers();
    agent.signal("SIGUSR2");
    const gone = agent.exited.then(({ code }) => Promise.reject(new Error(`the agent ended (code ${code})`)));
    return await Promise.race([this.#told.promise, gone]);
  }
}
