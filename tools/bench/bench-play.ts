/** The local API and a user of it, for as long as something is measured on them. */
import { join } from "node:path";
import { type LocalApi, startLocalApi } from "../local-api.ts";
import { createClient } from "../local-client.ts";
import { killAllProcesses } from "../processes/managed-process.ts";
import type { Play } from "../processes/run-to-the-end.ts";
import type { Ground } from "./storage-agent.ts";

export class BenchPlay implements Play {
  readonly #directory: string;
  readonly #interrupted: AbortSignal;
  readonly #measure: (ground: Ground) => Promise<boolean>;
  readonly #beganMs = performance.now();
  #starting: Promise<LocalApi> | undefined;
  #api: LocalApi | undefined;

  /** `measure`: true when all is right, as in `Play`. */
  constructor(directory: string, interrupted: AbortSignal, measure: (ground: Ground) => Promise<boolean>) {
    this.#directory = directory;
    this.#interrupted = interrupted;
    this.#measure = measure;
  }

  async play(): Promise<boolean> {
    this.#starting = startLocalApi({ persistTo: join(this.#directory, "api"), signal: this.#interrupted });
    const api = await this.#starting;
    this.#api = api;
    const client = await createClient(api, "bench");
    const tell = (text: string) => this.#tell(text);
    const gone = api.exited.then(({ code }) => Promise.reject(new Error(`the API ended (code ${code})`)));
    return await Promise.race([this.#measure({ api, client, directory: this.#directory, tell }), gone]);
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

  #tell(text: string): void {
    this.#interrupted.throwIfAborted();
    const seconds = Math.round((performance.now() - this.#beganMs) / 1000);
    console.log(`${String(seconds).padStart(5)} s  ${text}`);
  }
}
