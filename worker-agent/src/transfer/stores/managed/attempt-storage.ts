/**
 * Managed storage as one attempt may use it: calls under its lease, and requests by URLs that it was granted. All transfers of the
 * attempt share one of these, so that their wishes go together; all attempts share the connections.
 */
import { z } from "zod";
import { type GrantRequest, limits } from "../../../../../src/contract/index.ts";
import { StorageError } from "../../failures.ts";
import type { HttpAnswer, HttpClient } from "../../http-client.ts";
import type { TransferContext, TransferLease } from "../../ports.ts";
import { Batcher } from "./batcher.ts";
import { GrantDesk } from "./grant-desk.ts";
import { GrantedObject } from "./granted-object.ts";
import type { GrantedContent } from "./granted-request.ts";
import { type LeaseCall, type LeaseCallSettings, LeaseCalls } from "./lease-calls.ts";
import { paths } from "./paths.ts";

/** Who this agent is, and how it calls the API. */
export type ManagedSettings = Pick<LeaseCallSettings, "api" | "identity">;

export class AttemptStorage {
  readonly #http: HttpClient;
  readonly #calls: LeaseCalls;
  readonly #desk: GrantDesk;
  readonly #deletes: Batcher<string, undefined>;

  constructor(http: HttpClient, settings: LeaseCallSettings, { lease, gate }: TransferContext) {
    this.#http = http;
    this.#calls = new LeaseCalls(settings, lease, gate);
    this.#desk = new GrantDesk(this.#calls);
    this.#deletes = new Batcher({
      max: limits.storageBatch,
      run: async (keys, signal) => {
        await this.#calls.call({ path: paths.delete, body: { keys }, answer: z.looseObject({}), signal });
        return keys.map(() => undefined);
      },
    });
  }

  /** A call of the API, repeated until it is answered; see LeaseCalls. */
  call<T>(call: LeaseCall<T>): Promise<T> {
    return this.#calls.call(call);
  }

  /** Deletes what people see under this key, together with others that go now. */
  async delete(key: string, signal: AbortSignal): Promise<void> {
    await this.#deletes.ask(key, signal);
  }

  /** One try of one request by a URL of its own; what fails may be tried again as `judge` (retry.ts) says. */
  request<T>(
    wish: GrantRequest,
    content: GrantedContent,
    signal: AbortSignal,
    read: (answer: HttpAnswer) => Promise<T>,
  ): Promise<T> {
    return this.object(wish).request(content, signal, read);
  }

  /** Several requests by one URL, as long as that is good: ranges of one object. */
  object(wish: GrantRequest): GrantedObject {
    return new GrantedObject(this.#http, this.#desk, wish);
  }

  /**
   * Writes what nobody may overwrite (`put_chunk`, `put_manifest`). One try.
   *
   * @returns false when it was there already: an earlier try's answer was lost.
   */
  async putOnce(wish: GrantRequest, body: GrantedContent["body"], signal: AbortSignal): Promise<boolean> {
    try {
      await this.request(wish, { body }, signal, async () => undefined);
      return true;
    } catch (failure) {
      if (failure instanceof StorageError && failure.status === 412) return false;
      throw failure;
    }
  }
}

/** The one AttemptStorage of each attempt. */
export class ManagedStorage {
  readonly #http: HttpClient;
  readonly #settings: LeaseCallSettings;
  readonly #attempts = new WeakMap<TransferLease, AttemptStorage>();

  constructor(http: HttpClient, settings: LeaseCallSettings) {
    this.#http = http;
    this.#settings = settings;
  }

  of(context: TransferContext): AttemptStorage {
    const storage =
      this.#attempts.get(context.lease) ?? new AttemptStorage(this.#http, this.#settings, context);
    this.#attempts.set(context.lease, storage);
    return storage;
  }
}
