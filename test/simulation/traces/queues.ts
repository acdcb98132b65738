/** Queues that workers poll, by their own parameters: the two that recorded the traces, and one that costs nothing. */
import { hour, minute, second } from "../scenario.ts";

export interface PollingQueue {
  name: string;
  /** The holder's heartbeat, or renewal of the message. */
  renewEveryMs: number;
  /** So long after the last renewal the job is handed out again. */
  termMs: number;
  /** Pause of an idle worker between two claims; 0: the claim itself waits. */
  pollMs: number;
  /** The longest that one claim lasts, however often it is renewed. */
  holdMs: number;
  /** A job taken from a worker whose node lives: it stops at the end of the step that it is in … */
  stepMs: number;
  /** … once it has noticed, … */
  noticeMs: number;
  /** … and asks for work again after this. */
  pauseMs: number;
  /** The worker is the application: it measures its node before it claims. */
  checksFirst: boolean;
  /** Costs no time at all: no start, no calls, no transfers. */
  free: boolean;
}

/** Heartbeat each 30 s, lost after two of them, GET /work each 10 s. */
export const kelpie: PollingQueue = {
  name: "kelpie",
  renewEveryMs: 30 * second,
  termMs: 60 * second,
  pollMs: 10 * second,
  holdMs: Number.POSITIVE_INFINITY,
  stepMs: 0,
  noticeMs: 0,
  pauseMs: 0,
  checksFirst: false,
  free: false,
};

/** As the recorded worker used it: 90 s of visibility, renewed after 60, long polling; SQS itself ends a claim after 12 h. */
export const sqs: PollingQueue = {
  name: "sqs",
  renewEveryMs: 60 * second,
  termMs: 90 * second,
  pollMs: 0,
  holdMs: 12 * hour,
  stepMs: minute,
  // Five tries, 5 s apart, of a renewal that falls due within a minute.
  noticeMs: 25 * second,
  pauseMs: 10 * second,
  checksFirst: true,
  free: false,
};

/** A job that runs whenever its node is there. */
export const ideal: PollingQueue = {
  ...kelpie,
  name: "ideal",
  // An instant: what matters is that nobody waits for it.
  renewEveryMs: 1,
  termMs: 0,
  pollMs: 0,
  free: true,
};

/** Which queue recorded a trace, by the name of its source. */
export function recordingQueue(source: string): PollingQueue {
  return /sqs/i.test(source) ? sqs : kelpie;
}
