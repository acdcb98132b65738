/** The API, which is killed time and again and always comes back to the same port and directory. */
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { type LocalApi, startLocalApi } from "../local-api.ts";
import { findLastingPort } from "./network/lasting-port.ts";

export interface MortalApiSettings {
  persistTo: string;
  logPath: string;
  signal: AbortSignal;
}

export class MortalApi {
  readonly #settings: MortalApiSettings;
  readonly #broken = Promise.withResolvers<never>();
  #api: LocalApi;
  /** Resolves with the present or next life. */
  #life: Promise<LocalApi>;
  #isUp = true;
  #ending = false;

  private constructor(settings: MortalApiSettings, api: LocalApi) {
    this.#settings = settings;
    this.#api = api;
    this.#life = Promise.resolve(api);
    this.#broken.promise.catch(() => undefined);
    this.#watch(api);
  }

  static async start(settings: MortalApiSettings): Promise<MortalApi> {
    const port = await findLastingPort();
    return new MortalApi(settings, await startLocalApi({ ...startOptions(settings), port }));
  }

  /** Rejects when it ends though nobody has killed it. */
  get broken(): Promise<never> {
    return this.#broken.promise;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** The same through all of its lives. */
  get port(): number {
    return this.#api.port;
  }

  /** Of the present life, or the last one. */
  get local(): LocalApi {
    return this.#api;
  }

  /** SIGKILL to all of it, storage included; comes back after `downMs` and what its start takes. */
  async killAndRestart(downMs: number): Promise<void> {
    this.#isUp = false;
    const dead = this.#api;
    this.#life = (async () => {
      await dead.kill();
      await sleep(downMs, undefined, { signal: this.#settings.signal });
      return startLocalApi({ ...startOptions(this.#settings), port: dead.port, migrate: false });
    })();
    this.#api = await this.#life;
    this.#watch(this.#api);
    this.#isUp = true;
  }

  /** Also in the middle of starting. */
  async stop(): Promise<void> {
    this.#ending = true;
    const api = await this.#life.catch(() => undefined); // A start that failed has ended what it had started.
    await api?.stop();
  }

  tail(lines: number): string {
    return this.#api.tail(lines);
  }

  #watch(api: LocalApi): void {
    api.exited.then(({ code, signal }) => {
      if (this.#ending || !this.#isUp) return;
      this.#broken.reject(new Error(`The API ended by itself (code ${code}, signal ${signal})`));
    });
  }
}

function startOptions({ persistTo, logPath, signal }: MortalApiSettings) {
  return { persistTo, signal, onLine: (line: string) => appendFileSync(logPath, `${line}\n`) };
}
