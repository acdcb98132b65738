/** The API as the original worker calls it: machine and group, no claim id, no attempt, and no Content-Type. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "./config.ts";
import { log } from "./log.ts";

export interface Rule {
  bucket: string;
  prefix: string;
  local_path: string;
  pattern?: string;
}

export interface Job {
  id: string;
  command: string;
  arguments: string[];
  environment: Record<string, string>;
  heartbeat_interval: number;
  compression: boolean;
  sync?: { before?: Rule[]; during?: Rule[]; after?: Rule[] };
  input_bucket?: string;
  input_prefix?: string;
  checkpoint_bucket?: string;
  checkpoint_prefix?: string;
  output_bucket?: string;
  output_prefix?: string;
}

const callTimeoutMs = 30_000;

export class Api {
  readonly #config: Config;

  constructor(config: Config) {
    this.#config = config;
  }

  async work(): Promise<Job | undefined> {
    const jobs = (await this.#call("GET", `/work?${new URLSearchParams(this.#holder())}`)) as Job[];
    return jobs[0];
  }

  /** Whether the job is to be dropped. */
  async heartbeat(id: string): Promise<boolean> {
    const answer = (await this.#call("POST", `/jobs/${id}/heartbeat`)) as { status: string };
    return answer.status === "canceled";
  }

  /** Throws when it was refused or lost each time. */
  async report(id: string, end: "completed" | "failed"): Promise<void> {
    for (let tried = 1; ; tried++) {
      try {
        await this.#call("POST", `/jobs/${id}/${end}`);
        log("reported", { id, end });
        return;
      } catch (error) {
        log("report lost", { id, end, error: String(error) });
        if (tried >= this.#config.maxRetries) throw error;
        await sleep(200);
      }
    }
  }

  #holder() {
    return { machine_id: this.#config.machineId, container_group_id: this.#config.groupId };
  }

  async #call(method: string, path: string): Promise<unknown> {
    const response = await fetch(this.#config.apiUrl + path, {
      method,
      headers: this.#config.headers,
      // A Buffer: a string would name its type.
      body: method === "GET" ? undefined : Buffer.from(JSON.stringify(this.#holder())),
      signal: AbortSignal.timeout(callTimeoutMs),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} ${text}`);
    return JSON.parse(text);
  }
}
