/** Carries out one blow after the other, on victims in the middle of a job, and leaves enough of the fleet alone. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../test/simulation/world/random.ts";
import type { Blow, Fault, Ground } from "./faults/blow.ts";
import type { FaultRecord } from "./logs/fault-log.ts";
import type { Node } from "./node.ts";
import { settings } from "./settings.ts";

export interface StormSettings {
  ground: Ground;
  /** Where it ends, the storm does. */
  plan: Iterator<Blow>;
  random: Random;
  /** Names of nodes that it hurts to lose now. */
  worthwhile: () => ReadonlySet<string>;
  onFault: (fault: Fault, victim: Node | undefined) => void;
  onOver: (record: FaultRecord) => void;
}

const lookMs = 200;

export class Storm {
  readonly #settings: StormSettings;
  readonly #running = new Set<Promise<void>>();
  readonly #broken = Promise.withResolvers<never>();

  constructor(stormSettings: StormSettings) {
    this.#settings = stormSettings;
    this.#broken.promise.catch(() => undefined);
  }

  /** Until then blows fall; returns once the last one is over. Rejects where one cannot be carried out. */
  async run(untilMs: number): Promise<void> {
    const { plan, ground } = this.#settings;
    for (let next = plan.next(); !next.done; next = plan.next()) {
      const blow = next.value;
      await sleep(Math.min(blow.afterMs, Math.max(0, untilMs - Date.now())), undefined, {
        signal: ground.signal,
      });
      const victim = await this.#findVictim(blow, untilMs);
      if (Date.now() >= untilMs) break;
      this.#strike(blow, victim);
    }
    while (this.#running.size > 0) await Promise.race([this.#broken.promise, ...this.#running]);
  }

  /** Waits until the blow is possible and, for a while, until it hits a job in the middle. */
  async #findVictim({ faults }: Blow, untilMs: number): Promise<Node | undefined> {
    const { ground, random, worthwhile } = this.#settings;
    const pickyUntilMs = Date.now() + settings.victimWaitSeconds * 1000;
    const strikesApi = faults.some(({ strikes }) => strikes === "API");
    const strikesNode = faults.some(({ strikes }) => strikes === "node");
    // A killed node is replaced, others stay and suffer.
    const addsAiling = faults.some(({ kind }) => kind === "frozen" || kind === "cut");
    while (Date.now() < untilMs) {
      const alive = ground.fleet.alive();
      const healthy = alive.filter((node) => node.isHealthy);
      const names = worthwhile();
      const best = healthy.filter(({ name }) => names.has(name));
      const isPicky = Date.now() < pickyUntilMs;
      const ailing = alive.length - healthy.length;
      const room = healthy.length > 1 && (!addsAiling || ailing < settings.ailingNodes);
      const candidates = best.length > 0 || isPicky ? best : healthy;
      const ready = (!strikesApi || ground.api.isUp) && (!strikesNode || (room && candidates.length > 0));
      if (ready) return strikesNode ? random.pick(candidates) : undefined;
      await Promise.race([sleep(lookMs, undefined, { signal: ground.signal }), this.#broken.promise]);
    }
    return undefined;
  }

  #strike({ faults }: Blow, victim: Node | undefined): void {
    for (const fault of faults) {
      const running = this.#inject(fault, victim, faults.length > 1)
        .catch((error) => this.#broken.reject(error))
        .finally(() => this.#running.delete(running));
      this.#running.add(running);
    }
  }

  async #inject(fault: Fault, victim: Node | undefined, combined: boolean): Promise<void> {
    const { ground, onFault, onOver } = this.#settings;
    const struck = fault.strikes === "node" ? victim : undefined;
    const startMs = Date.now();
    onFault(fault, struck);
    struck?.ailments.add(fault.kind);
    try {
      if (fault.strikes === "API") await fault.inject(ground);
      else if (victim) await fault.inject(ground, victim);
    } finally {
      struck?.ailments.delete(fault.kind);
    }
    const { kind, what } = fault;
    onOver({ kind, node: struck?.name, what, combined, startMs, endMs: Date.now() });
  }
}
