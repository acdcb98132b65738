/**
 * Between the socket and the claims: what the API has told (there may be work; claim no more), and what it must know of us
 * (we wait; we are busy). Without a socket nothing is ever told, and the claims poll as they always have.
 */
import type { AgentMessage } from "../../../src/contract/index.ts";
import type { Clock, Mark } from "../clock.ts";

export class WorkSignals {
  readonly #clock: Clock;
  readonly #drainForgottenMs: number;
  #send: ((message: AgentMessage) => void) | undefined;
  /** When the socket was lost; undefined while there is one, and before the first. */
  #lostAt: Mark | undefined;
  /** The claims are at it: a wake will be followed by a claim. */
  #looking = false;
  /** No claim has begun since the last wake. */
  #woken = false;
  /** As far as we know, the API counts us among the waiting. */
  #waiting = false;
  #drained = false;
  /** The agent itself wants no more work for now. */
  #held = false;
  /** Claims under way, and jobs that claims have brought and of which something is left here. */
  #going = 0;
  #rest = Promise.withResolvers<void>();
  #change = new AbortController();

  /** `drainForgottenMs`: so long after the socket was lost, a drain is forgotten. */
  constructor(clock: Clock, drainForgottenMs: number) {
    this.#clock = clock;
    this.#drainForgottenMs = drainForgottenMs;
  }

  /** For the claims. */

  /** Whether the API can wake us, so that polling may be rare. */
  get connected(): boolean {
    return this.#send !== undefined;
  }

  get woken(): boolean {
    return this.#woken;
  }

  /** Whether to claim no more, by the API's word or our own. */
  get draining(): boolean {
    if (this.#held) return true;
    // Nobody may be left to lift the API's, so it ends some time after the socket.
    return this.#drained && !(this.#lostAt && this.#lostAt.awakeMs() >= this.#drainForgottenMs);
  }

  /** Aborts when anything above changes. Ask for it before looking. */
  get changed(): AbortSignal {
    return this.#change.signal;
  }

  /** From now on each wake is followed by a claim. */
  lookForWork(): void {
    this.#looking = true;
  }

  /**
   * A claim begins: it answers every wake so far. Returns what to call, once, when it has brought nothing, or when nothing is left here of
   * the job that it brought.
   */
  claimBegins(): () => void {
    this.#woken = false;
    return this.occupy();
  }

  /** The last claim found nothing. Says so each time: should the API have lost it, the next poll mends that. */
  wait(): void {
    if (!this.#send || this.#woken || this.#wantsNone) return;
    this.#waiting = true;
    this.#send({ type: "waiting" });
  }

  /** No claim follows: there is a job, or the agent stops. */
  stopLooking(): void {
    this.#looking = false;
    // A wake during the claim that got a job was most likely meant for another job: let another agent have it.
    if (this.#waiting || this.#woken) this.#send?.({ type: "busy" });
    this.#waiting = false;
    this.#woken = false;
  }

  /** For what needs this node to be at rest. */

  /** Claims stop, until `goOn`. */
  hold(): void {
    if (this.#held) return;
    this.#held = true;
    // A wake would be for nothing: let another agent have it.
    if (this.#waiting || this.#woken) this.#send?.({ type: "busy" });
    this.#waiting = false;
    this.#woken = false;
    this.#changeNow();
  }

  goOn(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#woken = this.#looking && !this.#drained;
    this.#changeNow();
  }

  /** Something of a job is left here, until the returned function is called, once. */
  occupy(): () => void {
    this.#going += 1;
    return () => {
      this.#going -= 1;
      if (this.#going === 0) this.#rest.resolve();
    };
  }

  /** Resolves when no claim is under way and nothing of a job is left here. While held, that stays so. */
  async atRest(): Promise<void> {
    while (this.#going > 0) {
      this.#rest = Promise.withResolvers();
      await this.#rest.promise;
    }
  }

  /** For the socket. */

  /** A fresh socket: what came before it, nobody has told us of. Look, then wait. */
  opened(send: (message: AgentMessage) => void): void {
    this.#send = send;
    this.#lostAt = undefined;
    this.#waiting = false;
    this.#woken = this.#looking && !this.#held;
    this.#changeNow();
  }

  lost(): void {
    this.#send = undefined;
    this.#lostAt = this.#clock.mark();
    this.#waiting = false;
    this.#changeNow();
  }

  wake(): void {
    this.#waiting = false;
    if (this.#looking && !this.#wantsNone) {
      this.#woken = true;
      this.#changeNow();
    } else {
      this.#send?.({ type: "busy" });
    }
  }

  drain(): void {
    this.#drained = true;
    this.#changeNow();
  }

  resume(): void {
    if (!this.#drained) return;
    this.#drained = false;
    this.#woken = this.#looking && !this.#held;
    this.#changeNow();
  }

  get #wantsNone(): boolean {
    return this.#drained || this.#held;
  }

  #changeNow(): void {
    const change = this.#change;
    this.#change = new AbortController();
    change.abort();
  }
}
