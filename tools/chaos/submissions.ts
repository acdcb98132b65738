/**
 * Keeps the queue filled, through outages too. A submission whose answer was lost may have been accepted: the list of jobs is
 * then asked which of its names are there, and the rest was never submitted.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../test/simulation/world/random.ts";
import type { Client } from "../local-client.ts";
import { outputKeyOf, sumJob } from "../sum-job.ts";
import type { ChaosJob } from "./judge/evidence.ts";
import { settings } from "./settings.ts";

export interface SubmissionSettings {
  client: Client;
  /** Gives up at once whatever is under way. */
  signal: AbortSignal;
  random: Random;
  containerGroupId: string;
  logPath: string;
  /** How many of the submitted jobs have ended. */
  ended: () => number;
  /** Not ended, at any time. */
  outstanding: number;
}

const lookMs = 500;

export class Submissions {
  /** Accepted by the API. */
  readonly jobs: ChaosJob[] = [];
  readonly #settings: SubmissionSettings;
  #drawn = 0;

  constructor(submissionSettings: SubmissionSettings) {
    this.#settings = submissionSettings;
  }

  /** Until it is enough; what is under way then is brought to its end. */
  async run(enough: AbortSignal): Promise<void> {
    const signal = AbortSignal.any([enough, this.#settings.signal]);
    while (!signal.aborted) {
      const missing = this.#settings.outstanding - (this.jobs.length - this.#settings.ended());
      if (missing > 0) await this.#submit(missing);
      await sleep(lookMs, undefined, { signal }).catch(() => undefined);
    }
  }

  async #submit(count: number): Promise<void> {
    const { client, containerGroupId, logPath } = this.#settings;
    const common = {
      containerGroupId,
      logPath,
      heartbeatIntervalSeconds: settings.heartbeatIntervalSeconds,
    };
    const drawn = Array.from({ length: count }, () => this.#draw());
    try {
      const answers = await client.submit(drawn.map((job) => sumJob({ ...job, ...common })));
      for (const [index, { name, n }] of drawn.entries()) {
        this.jobs.push({ name, n, id: answers[index]?.id ?? "" });
      }
    } catch {
      await this.#adopt(drawn);
    }
  }

  #draw() {
    const { random } = this.#settings;
    this.#drawn += 1;
    return {
      name: `sum-${String(this.#drawn).padStart(4, "0")}`,
      n: Math.round(random.logBetween(settings.steps.least, settings.steps.most)),
      stepSeconds: Number(random.between(settings.stepSeconds.least, settings.stepSeconds.most).toFixed(2)),
    };
  }

  /** Takes those that were accepted after all; the others are drawn anew, under other names. */
  async #adopt(drawn: { name: string; n: number }[]): Promise<void> {
    const { client, containerGroupId, signal } = this.#settings;
    while (!signal.aborted) {
      const found = await client.jobs(containerGroupId).catch(() => undefined);
      if (!found) {
        await sleep(lookMs, undefined, { signal }).catch(() => undefined);
        continue;
      }
      const byOutput = new Map(found.map((job) => [job.sync?.after?.[0]?.prefix, job]));
      for (const { name, n } of drawn) {
        const prefix = outputKeyOf(name).replace(/[^/]*$/, "");
        const id = byOutput.get(prefix)?.id;
        if (id !== undefined) this.jobs.push({ name, n, id });
      }
      return;
    }
  }
}
