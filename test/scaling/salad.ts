/** SaladCloud as the autoscaler asks it, in memory: one group, whose scale-in takes the lowest deletion cost first. */
import type { SaladAnswer, SaladGroup, SaladInstance, SaladRefusal } from "../../src/salad/client.ts";
import type { SaladPort } from "../../src/scaling/ports.ts";

export type Call = keyof SaladPort;

/** `applied`: takes effect all the same. */
export type SaladFault = { answer: SaladRefusal; applied?: boolean };

export const unanswered: SaladRefusal = { ok: false, reason: "unavailable", detail: "no answer within 10 s" };
export const status = (code: number, reason: SaladRefusal["reason"], detail = "no"): SaladRefusal => ({
  ok: false,
  reason,
  status: code,
  detail,
});

export class FakeSalad implements SaladPort {
  id = "group-1";
  exists = true;
  state = "running";
  replicas = 0;
  instances: SaladInstance[] = [];
  quota = { replicas: 1000, usedByOthers: 0 };
  /** Whether a stopped group takes new replicas. */
  patchesStopped = true;
  /** Instances that go are seen as `stopping` first, until `finishStopping`; false: only then are they chosen. */
  choosesAtOnce = true;
  readonly calls: string[] = [];
  readonly reallocated: string[] = [];
  /** What goes wrong with a call. */
  faultOf: (call: Call, count: number) => SaladFault | undefined = () => undefined;
  /** Runs before a call takes effect: what others do meanwhile. */
  meanwhile: (call: Call) => Promise<void> | void = () => {};
  #serial = 0;

  /** All that is asked for runs. */
  run(replicas: number): void {
    this.state = "running";
    this.replicas = replicas;
    this.arrive();
  }

  arrive(): void {
    while (this.#current().length < this.replicas) {
      const n = ++this.#serial;
      this.instances.push({ id: `i${n}`, machineId: `m${n}`, state: "running", deletionCost: 0 });
    }
  }

  /** What is too much goes: first to `stopping`, then away. */
  choose(): void {
    const wanted = this.state === "stopped" ? 0 : this.replicas;
    const byCost = this.#current().sort((a, b) => (a.deletionCost ?? 0) - (b.deletionCost ?? 0));
    for (const instance of byCost.slice(0, Math.max(0, byCost.length - wanted))) instance.state = "stopping";
  }

  finishStopping(): string[] {
    const gone = this.instances.filter(({ state }) => state === "stopping").map(({ machineId }) => machineId);
    this.instances = this.instances.filter(({ state }) => state !== "stopping");
    return gone;
  }

  cost(machineId: string, deletionCost: number | null): void {
    for (const instance of this.instances)
      if (instance.machineId === machineId) instance.deletionCost = deletionCost;
  }

  getGroup(): Promise<SaladAnswer<SaladGroup>> {
    return this.#call("getGroup", () => {
      if (!this.exists) return status(404, "refused");
      return { ok: true, value: this.#asGroup() };
    });
  }

  listGroups(): Promise<SaladAnswer<SaladGroup[]>> {
    return this.#call("listGroups", () => ({ ok: true, value: this.exists ? [this.#asGroup()] : [] }));
  }

  listInstances(): Promise<SaladAnswer<SaladInstance[]>> {
    return this.#call("listInstances", () => ({
      ok: true,
      value: this.instances.map((instance) => ({ ...instance })),
    }));
  }

  setReplicas(_place: unknown, replicas: number): Promise<SaladAnswer<null>> {
    return this.#call(
      "setReplicas",
      () => {
        if (this.state === "stopped" && !this.patchesStopped) return status(400, "rejected", "it is stopped");
        // Who asks for fewer is within it, or nearer to it.
        if (replicas > this.replicas && replicas + this.quota.usedByOthers > this.quota.replicas)
          return status(400, "rejected", "over quota");
        this.replicas = replicas;
        if (this.choosesAtOnce) this.choose();
        return { ok: true, value: null };
      },
      replicas,
    );
  }

  startGroup(): Promise<SaladAnswer<null>> {
    return this.#call("startGroup", () => {
      if (this.state !== "stopped") return status(400, "rejected", "not stopped");
      this.state = "deploying";
      return { ok: true, value: null };
    });
  }

  stopGroup(): Promise<SaladAnswer<null>> {
    return this.#call("stopGroup", () => {
      if (this.state === "stopped") return status(400, "rejected", "stopped");
      this.state = "stopped";
      if (this.choosesAtOnce) this.choose();
      return { ok: true, value: null };
    });
  }

  reallocate(_place: unknown, instanceId: string): Promise<SaladAnswer<null>> {
    return this.#call("reallocate", () => {
      this.reallocated.push(instanceId);
      return { ok: true, value: null };
    });
  }

  readQuota() {
    return this.#call("readQuota", () => ({
      ok: true as const,
      value: { replicas: this.quota.replicas, used: this.quota.usedByOthers + this.replicas },
    }));
  }

  #asGroup(): SaladGroup {
    const { id, replicas, state } = this;
    return { id, name: "trainers", replicas, status: state, instances: null };
  }

  #current(): SaladInstance[] {
    return this.instances.filter(({ state }) => state !== "stopping");
  }

  async #call<T>(call: Call, effect: () => SaladAnswer<T>, detail?: number): Promise<SaladAnswer<T>> {
    this.calls.push(detail === undefined ? call : `${call} ${detail}`);
    const count = this.calls.filter((made) => made.startsWith(call)).length;
    await this.meanwhile(call);
    const fault = this.faultOf(call, count);
    if (fault && !fault.applied) return fault.answer;
    const answer = effect();
    return fault?.answer ?? answer;
  }
}
