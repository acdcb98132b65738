/** Our agent: claims by claim id, renews all it holds in one call, first at once; as worker-agent does. */
import { second } from "../scenario.ts";
import { Attempt, type Granted } from "./attempt.ts";
import type { Machine } from "./machine.ts";
import type { Surroundings } from "./surroundings.ts";

const claimTimeoutMs = 15 * second;

export class Agent {
  readonly #world: Surroundings;
  readonly #machine: Machine;
  readonly #name: string;
  /** A machine on which nothing runs. */
  readonly #failsAll: () => boolean;
  readonly #held = new Set<Attempt>();
  /** Only the newest planned renewal counts. */
  #plan = 0;
  #failures = 0;
  #claims = 0;
  #draining = false;
  readonly #idle = new Map<number, () => void>();

  constructor(world: Surroundings, machine: Machine, name: string, slots: number, failsAll: () => boolean) {
    this.#world = world;
    this.#machine = machine;
    this.#name = name;
    this.#failsAll = failsAll;
    for (let slot = 0; slot < slots; slot++) {
      const startMs = world.pace?.agentStartMs(machine) ?? world.random.int(1, 2_000);
      this.#machine.after(startMs, () => this.#ask(slot));
    }
  }

  get idle(): boolean {
    return this.#idle.size > 0;
  }

  /** Jobs of the leases that it has. */
  get holds(): string[] {
    return [...this.#held].map(({ jobId }) => jobId);
  }

  /** There is work: an idle slot asks now. */
  poll(): void {
    const [first] = this.#idle.values();
    if (first) this.#machine.run(first);
  }

  /** SIGTERM: gives back what it has. */
  drain(): void {
    this.#draining = true;
    for (const attempt of [...this.#held]) attempt.report("released");
  }

  /** The process is gone; nobody will ever hear of what it held. */
  die(): void {
    for (const attempt of [...this.#held]) attempt.drop();
  }

  #ask(slot: number): void {
    if (!this.#draining) this.#claim(slot, `${this.#name}-claim-${++this.#claims}`, 0, 0);
  }

  #claim(slot: number, claimId: string, tries: number, empty: number): void {
    const { network, judge, key, random } = this.#world;
    const { id: machineId, instanceId } = this.#machine;
    network.send({
      from: this.#machine,
      timeoutMs: claimTimeoutMs,
      work: (engine) => {
        judge.claiming(claimId, machineId);
        return engine.claim(key, { machineId, claimId, ...(instanceId === undefined ? {} : { instanceId }) });
      },
      answered: (answer) => judge.claimed({ name: claimId, old: false, machineId }, answer),
      done: (answer) => {
        if (answer === null || !answer.ok) {
          const pauseMs = Math.min(10 * second, 300 * 2 ** tries) * random.between(0.5, 1);
          this.#machine.after(pauseMs, () => this.#claim(slot, claimId, tries + 1, empty));
          return;
        }
        if (answer.job === null || !answer.lease) {
          this.#waitForWork(slot, empty + 1);
          return;
        }
        const { id, attempt } = answer.job;
        const { token, seconds } = answer.lease;
        this.#hold(slot, { jobId: id, attempt, token, termMs: seconds * second, claimId });
      },
    });
  }

  /** The pause doubles while there is nothing; a new claim id each time. */
  #waitForWork(slot: number, empty: number): void {
    const next = () => {
      if (this.#idle.get(slot) !== next) return;
      this.#idle.delete(slot);
      if (!this.#draining) this.#claim(slot, `${this.#name}-claim-${++this.#claims}`, 0, empty);
    };
    this.#idle.set(slot, next);
    const { pace, scenario, random } = this.#world;
    const pauseMs =
      pace?.idlePauseMs() ?? Math.min(scenario.idlePollMs, second * 2 ** empty) * random.between(0.5, 1);
    this.#machine.after(pauseMs, next);
  }

  #hold(slot: number, granted: Granted): void {
    const attempt = new Attempt(this.#world, this.#machine, granted, this.#failsAll(), () => {
      this.#held.delete(attempt);
      this.#world.leasesChanged?.(this.#machine);
      this.#machine.after(this.#world.random.int(1, 500), () => this.#ask(slot));
    });
    this.#held.add(attempt);
    this.#world.leasesChanged?.(this.#machine);
    if (this.#draining) attempt.report("released");
    this.#renew();
  }

  #renewIn(ms: number): void {
    const plan = ++this.#plan;
    this.#machine.after(ms, () => {
      if (plan === this.#plan) this.#renew();
    });
  }

  #renew(): void {
    this.#plan++;
    const attempts = [...this.#held];
    if (attempts.length === 0) return;
    const { network, judge, key, random } = this.#world;
    const machineId = this.#machine.id;
    const termMs = Math.min(...attempts.map((attempt) => attempt.termMs));
    const sentAt = this.#machine.clock.mark();
    const plan = this.#plan;
    network.send({
      from: this.#machine,
      timeoutMs: Math.min(10 * second, Math.max(second, termMs / 4)),
      work: (engine) =>
        judge.renewing(attempts, () =>
          engine.renew(
            key,
            machineId,
            attempts.map(({ jobId, attempt, token, commandStarted, progress }) => ({
              jobId,
              attempt,
              leaseToken: token,
              commandStarted,
              progress,
            })),
          ),
        ),
      answered: (answers, startedMs) => {
        for (const [i, { jobId, attempt, claimId }] of attempts.entries()) {
          const answer = answers[i];
          if (answer)
            judge.renewed({ jobId, machineId, attempt, stranger: false, claimId, startedMs }, answer);
        }
      },
      done: (answers) => {
        // One lease of unknown fate makes the whole answer an error, as the route has it.
        const clear = answers?.every((answer) => answer.status !== "unavailable") ?? false;
        for (const [i, attempt] of attempts.entries()) {
          const told = answers?.[i];
          if (!clear || !told || !this.#held.has(attempt)) continue;
          if (told.status === "running") {
            attempt.termMs = told.leaseSeconds * second;
            attempt.trust.renewed(sentAt, attempt.termMs);
            judge.trusted(attempt);
          } else {
            judge.refused("renewal refused");
            attempt.drop();
          }
        }
        // After an hour without trust an attempt is given up.
        for (const attempt of attempts) if (attempt.givenUp()) attempt.drop();
        // Others may have begun a renewal since, for a lease that is new.
        if (plan !== this.#plan) return;
        this.#failures = clear ? 0 : this.#failures + 1;
        const retryMs = Math.min(5 * second, termMs / 10, 500 * 2 ** this.#failures);
        this.#renewIn(clear ? (termMs / 4) * random.between(0.9, 1) : retryMs * random.between(0.5, 1));
      },
    });
  }
}
