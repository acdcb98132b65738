/** An agent of its own for each measurement: its log tells when what happened, its process what it needed. */

import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type LocalAgent, startLocalAgent } from "../local-agent.ts";
import type { LocalApi } from "../local-api.ts";
import type { Client } from "../local-client.ts";
import { peakBytesOf } from "../processes/memory.ts";

/** Where it all happens. */
export interface Ground {
  api: LocalApi;
  client: Client;
  directory: string;
  /** Says how far it is. */
  tell(text: string): void;
}

export interface LogLine {
  message: string;
  timeMs: number;
  bytes_total?: number;
  reason?: string;
}

const isAnEnd = ({ message }: LogLine) =>
  /^(reported (failed|released)|attempt lost|attempt canceled)/.test(message);

export class BenchAgent {
  readonly directory: string;
  readonly #agent: LocalAgent;
  readonly #lines: LogLine[] = [];
  #news = Promise.withResolvers<void>();

  /** `name`: its machine's, and its directory's. `url`: the API's, by another way. */
  constructor({ api, client, directory }: Ground, name: string, containerGroupId: string, url = api.url) {
    this.directory = join(directory, name);
    this.#agent = startLocalAgent({
      api: { url, s3Endpoint: api.s3Endpoint },
      key: client.key,
      containerGroupId,
      machineId: name,
      directory: this.directory,
      onLine: (line) => this.#hear(line),
    });
    this.#agent.exited.then(() => this.#tellNews());
  }

  #hear(line: string): void {
    try {
      const { time, ...rest } = JSON.parse(line);
      this.#lines.push({ ...rest, timeMs: Date.parse(time) });
    } catch {
      return; // The command's own words.
    }
    this.#tellNews();
  }

  #tellNews(): void {
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }

  /** The first line of this message that fits. Throws once the job has ended in another way. */
  async says(message: string, fits: (line: LogLine) => boolean = () => true): Promise<LogLine> {
    for (;;) {
      const line = this.#lines.find((said) => said.message === message && fits(said));
      if (line) return line;
      const end = this.#lines.find(isAnEnd);
      if (end || !this.#agent.isRunning())
        throw new Error(
          `the agent never said "${message}": ${end?.message ?? "it ended"}\n${this.#agent.tail(10)}`,
        );
      await this.#news.promise;
    }
  }

  /** Until now. */
  peakBytes(): number {
    return peakBytesOf(this.#agent.pid) ?? Number.NaN;
  }

  /** As SaladCloud does it: the job is given back, with a last cut. */
  async stop(): Promise<void> {
    await this.#agent.stop(120_000);
  }

  async kill(): Promise<void> {
    await this.#agent.kill();
  }
}

/** Polls until `look` finds something. */
export async function until<T>(look: () => Promise<T | undefined>, pollMs = 200): Promise<T> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await sleep(pollMs);
  }
}
