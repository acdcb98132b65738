/** A wish, and the URL that it was granted last: used again while it is fresh. */
import type { GrantRequest } from "../../../../../src/contract/index.ts";
import { GrantRefused } from "../../failures.ts";
import type { HttpAnswer, HttpClient } from "../../http-client.ts";
import { type GrantDesk, type HeldGrant, isFresh } from "./grant-desk.ts";
import { type GrantedContent, sendGranted } from "./granted-request.ts";

export class GrantedObject {
  readonly #http: HttpClient;
  readonly #desk: GrantDesk;
  readonly #wish: GrantRequest;
  #held: HeldGrant | undefined;
  #asking: Promise<HeldGrant> | undefined;

  constructor(http: HttpClient, desk: GrantDesk, wish: GrantRequest) {
    this.#http = http;
    this.#desk = desk;
    this.#wish = wish;
  }

  /** Asks for a grant that is about to be used. */
  announce(signal: AbortSignal): void {
    // Whoever uses it hears of the failure, and asks again.
    this.#grant(signal).catch(() => undefined);
  }

  /** One try. Requests that go on at once must end with the same signal: they wait for one grant. */
  async request<T>(
    content: GrantedContent,
    signal: AbortSignal,
    read: (answer: HttpAnswer) => Promise<T>,
  ): Promise<T> {
    // Before there is a connection for it: wishes that wait for one go to the API together.
    let used = await this.#grant(signal);
    try {
      const grant = async () => {
        used = await this.#grant(signal);
        return used;
      };
      return await sendGranted(this.#http, grant, content, signal, read);
    } catch (failure) {
      if (failure instanceof GrantRefused && this.#held === used) this.#held = undefined;
      throw failure;
    }
  }

  async #grant(signal: AbortSignal): Promise<HeldGrant> {
    if (this.#held && isFresh(this.#held)) return this.#held;
    this.#asking ??= this.#desk.ask(this.#wish, signal).finally(() => {
      this.#asking = undefined;
    });
    this.#held = await this.#asking;
    return this.#held;
  }
}
