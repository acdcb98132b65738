/**
 * `npm run bench -- storage`: bytes up and down by real agents' jobs, beside rclone on the same S3 endpoint. What counts are the
 * ratios and the bytes; the seconds are this machine's, with agent, API and storage on the same cores. Linux alone: memory
 * is read from /proc.
 */
import { rm, statfs } from "node:fs/promises";
import { loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { type LocalApi, startLocalApi } from "../local-api.ts";
import { createClient } from "../local-client.ts";
import { killAllProcesses } from "../processes/managed-process.ts";
import { type Play, runToTheEnd } from "../processes/run-to-the-end.ts";
import { median } from "./measure.ts";
import type { Ground } from "./storage-agent.ts";
import { growAsMirror, growAsSnapshot } from "./storage-growth.ts";
import { rcloneIsThere } from "./storage-rclone.ts";
import { agentOn, moveInTurn, yardstick } from "./storage-rounds.ts";
import { fullSizes, neededBytes, quickSizes, type Sizes } from "./storage-sizes.ts";
import { makeFile, makeFiles } from "./storage-sources.ts";
import { showCopies, showGrowth, showResume } from "./storage-table.ts";

export async function benchStorage(quick: boolean): Promise<void> {
  const sizes = quick ? quickSizes : fullSizes;
  const { bavail, bsize } = await statfs(tmpdir());
  const [free, needed] = [bavail * bsize, neededBytes(sizes)].map((bytes) => Math.ceil(bytes / 1e9));
  if (free === undefined || needed === undefined || free < needed) {
    console.error(`This needs ${needed} GB in the directory for temporary files (TMPDIR); ${free} are free.`);
    process.exitCode = 1;
    return;
  }
  console.log(`up to ${needed} GB of disk, ${free} are free`);
  await runToTheEnd("bench", (directory, interrupted) => new StorageBench(directory, interrupted, sizes));
}

class StorageBench implements Play {
  readonly #directory: string;
  readonly #interrupted: AbortSignal;
  readonly #sizes: Sizes;
  readonly #beganMs = performance.now();
  #starting: Promise<LocalApi> | undefined;
  #api: LocalApi | undefined;

  constructor(directory: string, interrupted: AbortSignal, sizes: Sizes) {
    this.#directory = directory;
    this.#interrupted = interrupted;
    this.#sizes = sizes;
  }

  async play(): Promise<boolean> {
    this.#starting = startLocalApi({ persistTo: join(this.#directory, "api"), signal: this.#interrupted });
    const api = await this.#starting;
    this.#api = api;
    const client = await createClient(api, "bench");
    const tell = (text: string) => this.#tell(text);
    const gone = api.exited.then(({ code }) => Promise.reject(new Error(`the API ended (code ${code})`)));
    await Promise.race([this.#measure({ api, client, directory: this.#directory, tell }), gone]);
    return true;
  }

  closeScreen(): void {}

  tails(): string {
    return this.#api ? `Last lines of the API:\n${this.#api.tail(20)}` : "";
  }

  async clear(): Promise<void> {
    killAllProcesses();
    // A start that is given up ends what it had started.
    await this.#starting?.then(
      ({ exited }) => exited,
      () => undefined,
    );
  }

  async #measure(ground: Ground): Promise<void> {
    const { fileBytes, smallFiles, smallBytes, growingBytes, growthBytes, growths, rounds } = this.#sizes;
    const movers = [agentOn("managed"), agentOn("S3")];
    if (await rcloneIsThere(this.#directory)) movers.push(yardstick);
    else console.log("rclone is not on the PATH: not measured, so there are no ratios to it");

    const source = join(this.#directory, "growing.bin");
    await makeFile(source, growingBytes);
    const mirror = await growAsMirror(ground, source, this.#sizes);
    const { growth, resume } = await growAsSnapshot(ground, source, this.#sizes);
    await rm(source);
    // Each table as soon as it is there: the rest may take long, and somebody may have seen enough.
    showGrowth([mirror, growth]);

    const one = {
      what: `one file of ${fileBytes / 1e6} MB`,
      make: (directory: string) => makeFile(join(directory, "one.bin"), fileBytes),
    };
    const many = {
      what: `${smallFiles} files of ${smallBytes} B`,
      make: (directory: string) => makeFiles(directory, smallFiles, smallBytes),
    };
    const ofOne = await moveInTurn(ground, one, movers, rounds);
    showCopies(ofOne);
    const plain = ofOne.find(({ mover, way }) => mover === "managed" && way === "down")?.took ?? [];
    const plainSecondsPerByte = median(plain.map(({ seconds }) => seconds)) / fileBytes;
    showResume(resume, growingBytes + growths * growthBytes, plainSecondsPerByte);
    showCopies(await moveInTurn(ground, many, movers, rounds));
    const load = loadavg().map((value) => value.toFixed(1));
    console.log(`\nload of the machine, of the last 1, 5 and 15 minutes: ${load.join(", ")}`);
  }

  #tell(text: string): void {
    this.#interrupted.throwIfAborted();
    const seconds = Math.round((performance.now() - this.#beganMs) / 1000);
    console.log(`${String(seconds).padStart(5)} s  ${text}`);
  }
}
