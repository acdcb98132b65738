/** What the wire has told so far, for the run itself: which jobs have ended, and who is at the others. */
import type { WireEvent } from "./wire-log.ts";

export class LiveWire {
  /** Jobs of which a report of completion was accepted. */
  readonly ended = new Set<string>();
  /** Job id → the node that got it last. */
  readonly holders = new Map<string, string>();

  note(event: WireEvent): void {
    if (event.kind === "claim" && event.granted) this.holders.set(event.granted.job, event.node);
    if (event.kind === "report" && event.end === "completed" && event.status === 200) {
      this.ended.add(event.job);
    }
  }
}
