/** The shipped autoscaler over Node's SQLite, the very engine of a group, a SaladCloud in memory and a clock that moves when told. */
import type { SqlRecord } from "../../src/db/job-record.ts";
import { insertRule } from "../../src/db/scaling/rules.ts";
import type { ScalingEvent, ScalingPorts } from "../../src/scaling/ports.ts";
import { Scaler } from "../../src/scaling/scaler.ts";
import { type Held, heldBy, key, World } from "../engine/world.ts";
import { LocalDesk } from "./local-desk.ts";
import { FakeSalad } from "./salad.ts";

export { key };

export class ScalingWorld extends World {
  readonly salad = new FakeSalad();
  readonly desk = new LocalDesk(() => this.nowMs);
  readonly log: ScalingEvent[] = [];
  readonly scaler: Scaler;
  readonly ports: ScalingPorts;
  #operations = 0;

  constructor(rule: Record<string, number> = {}) {
    super();
    this.ports = {
      d1: { batch: (statements) => this.d1Port.batch(statements) },
      salad: this.salad,
      budget: this.desk,
      submissions: this.desk,
      turns: this.desk,
      rounds: this.desk,
      group: () => this.engine,
      nowMs: () => this.nowMs,
      sleep: async (ms) => {
        this.nowMs += ms;
      },
      random: () => 0,
      operationId: () => `step-${++this.#operations}`,
      log: (event) => this.log.push(event),
    };
    this.scaler = new Scaler(this.ports);
    this.addRule(rule);
  }

  addRule(rule: Record<string, number>): void {
    const { sql, params } = insertRule({
      ...key,
      orgName: "acme",
      projectName: "default",
      containerGroupName: "trainers",
      minReplicas: rule.min ?? 0,
      maxReplicas: rule.max ?? 10,
      idleThresholdSeconds: rule.idle ?? 0,
      jobsPerReplica: rule.jobsPerReplica ?? 1,
      scaleUpCooldown: rule.upCooldown ?? 0,
      scaleDownCooldown: rule.downCooldown ?? 0,
      paused: rule.paused === 1,
      created: rule.created ?? 0,
    });
    this.run(sql, params);
  }

  run(sql: string, params: unknown[] = []): SqlRecord[] {
    return this.d1.prepare(sql).all(...(params as never[])) as SqlRecord[];
  }

  get rule(): SqlRecord | undefined {
    return this.run("SELECT * FROM scaling_rules")[0];
  }

  /** "action before→after", with what went wrong; oldest first. */
  get history(): string[] {
    return this.run("SELECT * FROM scaling_events ORDER BY seq").map(
      ({ action, replicas_before, replicas_after, error }) =>
        `${action} ${replicas_before}→${replicas_after}${error === null ? "" : `: ${error}`}`,
    );
  }

  jobs(count: number): void {
    for (let n = 0; n < count; n++) this.addJob(`job-${++this.#operations}`);
  }

  /** As the agent on that instance claims. */
  async claimAt(machineId: string, instanceId = machineId.replace("m", "i")): Promise<Held | null> {
    const claimId = `claim-${++this.#operations}`;
    return heldBy(machineId, await this.engine.claim(key, { machineId, instanceId, claimId }));
  }

  /** Claims, renews, and has its deletion cost raised. */
  async busy(machineId: string, cost: number | null = 100): Promise<Held> {
    const held = await this.claimAt(machineId);
    if (!held) throw new Error(`${machineId} got no job`);
    await this.renew(held);
    this.salad.cost(machineId, cost);
    return held;
  }
}
