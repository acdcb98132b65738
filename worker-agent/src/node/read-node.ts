/**
 * What this node is: told with each claim, for people, and the number of GPUs, which the slots divide. Read once at the start, in
 * bounded time: what cannot be had by then is left out, and no job waits for it.
 */
import { execFile } from "node:child_process";
import { statfs } from "node:fs/promises";
import { totalmem } from "node:os";
import { limits, NodeFacts } from "../../../src/contract/index.ts";
import { pause } from "../pause.ts";
import { version } from "../version.ts";

export interface Node {
  facts: Partial<NodeFacts>;
  /** 0 where `nvidia-smi` lists none. */
  gpuCount: number;
}

/** Reads them. `timeoutMs` for all together. */
export async function readNode(workdir: string, timeoutMs: number): Promise<Node> {
  const over = new AbortController();
  const late = pause(timeoutMs, over.signal).then(() => undefined);
  const inTime = <T>(fact: Promise<T>) => Promise.race([fact.catch(() => undefined), late]);
  const [list, drivers, disk] = await Promise.all([
    inTime(nvidiaSmi(["-L"], timeoutMs)),
    inTime(nvidiaSmi(["--query-gpu=driver_version", "--format=csv,noheader"], timeoutMs)),
    inTime(statfs(workdir)),
  ]);
  over.abort();
  const gpus = gpusIn(list ?? "");
  const told = {
    agent_version: version,
    gpu_model: gpus.length > 0 ? [...new Set(gpus)].join(", ") : undefined,
    gpu_count: list === undefined ? undefined : gpus.length,
    driver_version: drivers?.trim().split("\n")[0]?.trim(),
    memory_bytes: memoryBytes(process.constrainedMemory(), totalmem()),
    disk_bytes: disk && disk.blocks * disk.bsize,
  };
  return { facts: factsOf(told), gpuCount: gpus.length };
}

/** The models that `nvidia-smi -L` lists, one per GPU: "GPU 0: NVIDIA GeForce RTX 4090 (UUID: GPU-…)". */
export function gpusIn(list: string): string[] {
  return [...list.matchAll(/^GPU \d+: (.*?)(?: \(UUID: .*\))?\s*$/gm)].map(([, model = ""]) => model);
}

/** What the container may use: its own limit, where there is one below the machine's memory. */
export function memoryBytes(limitBytes: number, machineBytes: number): number {
  // 0, or a number beyond any memory, is how systems say "no limit".
  return limitBytes > 0 && limitBytes < machineBytes ? limitBytes : machineBytes;
}

/** Those that the contract takes: a claim must not be refused for what a driver calls itself. */
export function factsOf(told: Record<keyof NodeFacts, string | number | undefined>): Partial<NodeFacts> {
  const facts = Object.entries(told).flatMap(([name, value]) => {
    const cut = typeof value === "string" ? legibleFact(value) : value;
    const parsed = NodeFacts.shape[name as keyof NodeFacts].safeParse(cut);
    return parsed.success ? [[name, parsed.data]] : [];
  });
  return Object.fromEntries(facts);
}

/** A driver in trouble prints pages, or nothing that can be read: one line of it. */
function legibleFact(value: string): string {
  return value
    .replace(/\p{Cc}+/gu, " ")
    .slice(0, limits.factChars)
    .toWellFormed()
    .trim();
}

const outputBytesMax = 64 * 1024;

function nvidiaSmi(args: string[], timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    // One that hangs in its driver does not even die; whoever asks waits no longer than it wants to.
    const child = execFile(
      "nvidia-smi",
      args,
      { timeout: timeoutMs, killSignal: "SIGKILL", maxBuffer: outputBytesMax },
      (error, stdout) => (error ? reject(error) : resolve(stdout)),
    );
    child.unref();
  });
}
