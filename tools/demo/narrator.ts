/** Puts what the jobs' log says into rows and sentences. The API's word adds only status and attempt. */
import type { Job } from "../../src/contract/index.ts";
import type { Row } from "../screen/table.ts";
import type { Screen } from "../screen.ts";
import type { SumEvent } from "../sum-log.ts";
import { type JobProgress, progressOf } from "../sum-progress.ts";
import type { DemoJob } from "./scenario.ts";

export class Narrator {
  readonly #jobs: DemoJob[];
  readonly #screen: Pick<Screen, "event" | "note">;
  #progress = new Map<string, JobProgress>();
  #killedMs = new Map<string, number>();

  constructor(jobs: DemoJob[], screen: Pick<Screen, "event" | "note">) {
    this.#jobs = jobs;
    this.#screen = screen;
  }

  jobs(): { name: string; n: number; progress: JobProgress }[] {
    return this.#jobs.map(({ id, name, n }) => ({ name, n, progress: this.#progressOf(id) }));
  }

  update(events: SumEvent[], answers: Job[]): Row[] {
    const byId = new Map(answers.map((answer) => [answer.id, answer]));
    return this.#jobs.map(({ id, name, n }) => {
      const before = this.#progressOf(id);
      const now = progressOf(events.filter(({ job }) => job === id));
      this.#progress.set(id, now);
      if (now.runs > before.runs && before.runs > 0) this.#sayResumed(name, before, now, events, id);
      if (now.done && !before.done) this.#screen.note(`${name} is done, on ${now.machine}`);
      const answer = byId.get(id);
      const machine = now.machine ?? "";
      const lost = !now.done && this.#killedMs.has(machine) ? " (killed)" : "";
      return {
        ...{ name, n, step: now.step },
        status: answer?.status ?? "unknown",
        attempt: answer?.attempt ?? 0,
        more: { machine: machine + lost },
      };
    });
  }

  killed(machine: string, killedMs: number, replacement: string): void {
    this.#killedMs.set(machine, killedMs);
    const cut = this.jobs().find(({ progress }) => progress.machine === machine && !progress.done);
    const where = cut ? ` in the middle of ${cut.name}, at step ${cut.progress.step} of ${cut.n}` : "";
    this.#screen.event(`✗ ${machine} is killed${where}; ${replacement} takes its place`);
  }

  #sayResumed(name: string, before: JobProgress, now: JobProgress, events: SumEvent[], id: string): void {
    const from = before.machine ?? "";
    const began = events.findLast(
      ({ job, event }) => job === id && (event === "start" || event === "resume"),
    );
    const killedMs = this.#killedMs.get(from);
    const after =
      killedMs !== undefined && began
        ? `, ${((began.time - killedMs) / 1000).toFixed(1)} s after the kill`
        : "";
    this.#screen.event(
      `↻ ${name} goes on at ${now.machine} from step ${now.fromStep} (${from} had reached ${before.step})${after}`,
    );
  }

  #progressOf(id: string): JobProgress {
    return this.#progress.get(id) ?? progressOf([]);
  }
}
