/** Between actors and the API: messages get lost, doubled, late, out of order, in both directions. */
import type { Engine } from "../../../src/group/engine.ts";
import type { Faults } from "../world/faults.ts";
import type { GroupObject } from "../world/group-object.ts";
import type { Schedule } from "../world/schedule.ts";
import type { Machine } from "./machine.ts";

export interface Call<T> {
  from: Machine;
  timeoutMs: number;
  work: (engine: Engine) => Promise<T>;
  /** The engine has answered, in this very step; the judge listens. Once per copy that arrived. */
  answered: (answer: T, startedMs: number) => void;
  /** The first answer that came in time, or null. */
  done: (answer: T | null) => void;
}

export class Network {
  readonly #schedule: Schedule;
  readonly #faults: Faults;
  readonly #object: GroupObject;
  readonly #engineThrew: (error: unknown) => void;

  constructor(
    schedule: Schedule,
    faults: Faults,
    object: GroupObject,
    engineThrew: (error: unknown) => void,
  ) {
    this.#schedule = schedule;
    this.#faults = faults;
    this.#object = object;
    this.#engineThrew = engineThrew;
  }

  send<T>(call: Call<T>): void {
    const { from } = call;
    const schedule = this.#schedule;
    let open = true;
    const finish = (answer: T | null) => {
      if (!open) return;
      open = false;
      call.done(answer);
    };
    from.after(call.timeoutMs, () => finish(null));
    if (from.cut) return;
    for (const delayMs of this.#faults.ofMessage().copiesMs) {
      schedule.after(delayMs, () => {
        // An API that is down answers with an error, soon.
        if (schedule.nowMs < this.#faults.outageUntilMs) {
          this.#back(from, () => finish(null));
          return;
        }
        const startedMs = schedule.nowMs;
        this.#object.call(
          call.work,
          (answer) => {
            if (answer !== null) call.answered(answer, startedMs);
            this.#back(from, () => finish(answer));
          },
          this.#engineThrew,
        );
      });
    }
  }

  #back(to: Machine, deliver: () => void): void {
    if (to.cut) return;
    for (const delayMs of this.#faults.ofMessage().copiesMs) {
      const cutMs = this.#faults.ofSlowLine(delayMs);
      to.after(delayMs, () => {
        deliver();
        if (cutMs !== null) to.cutOff(cutMs);
      });
    }
  }
}
