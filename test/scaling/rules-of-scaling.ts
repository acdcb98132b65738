/** What holds at every moment of a random history (docs/autoscaling.md), checked as things happen. */
import type { SaladInstance } from "../../src/salad/client.ts";
import { settlingMs } from "../../src/scaling/settle.ts";
import type { Verdict } from "../simulation/judge/verdict.ts";
import { minute } from "../simulation/scenario.ts";
import type { Database } from "../simulation/world/database.ts";
import type { RandomAgents } from "./random-agents.ts";
import { promptMs } from "./random-agents.ts";
import type { Decider, DeciderWatcher, TurnNotes } from "./random-decider.ts";
import type { By, RandomSalad } from "./random-salad.ts";
import type { Call } from "./salad.ts";

/** Salad takes 240; 10 are left for the routes. */
const mostRequestsPerMinute = 230;
/** A failure that repeats is written once in so long. */
const sameAgainMs = 60 * minute;

type Direction = "up" | "down";

/** As the group's object stores it (src/group/grant-hold.ts). */
interface StoredHold {
  choosing: { operationId: string; untilMs: number } | null;
  doomed: { instanceId: string; untilMs: number }[];
}

interface Mark {
  atMs: number;
  maxReplicas: number;
}

export class RulesOfScaling implements DeciderWatcher {
  readonly #verdict: Verdict;
  readonly #nowMs: () => number;
  readonly #sentMs: number[] = [];
  #isPerson = false;
  #askedForFewerMs = Number.NEGATIVE_INFINITY;
  readonly #marks = new Map<Direction, Mark>();
  /** The turn that was last given, whether or not its time is up. */
  #turn: { decider: Decider; operationId: string } | null = null;
  /** Instances that a step takes away, and since when. */
  readonly #takenMs = new Map<string, number>();
  #parts: { salad: RandomSalad; agents: RandomAgents; d1: Database; storage: () => Database } | null = null;

  constructor(verdict: Verdict, nowMs: () => number) {
    this.#verdict = verdict;
    this.#nowMs = nowMs;
  }

  note(text: string): void {
    this.#verdict.note(null, text);
  }

  watch(parts: { salad: RandomSalad; agents: RandomAgents; d1: Database; storage: () => Database }): void {
    this.#parts = parts;
    // The group is there as long as the world is.
    parts.d1.watch("rule_removed", "DELETE ON scaling_rules", ["OLD.updated"], () => {
      this.#require(
        "no rule is removed while its group is there",
        this.#isPerson,
        () => "the autoscaler has removed it",
      );
    });
    for (const direction of ["up", "down"] as const) {
      const marked = [
        "OLD.scaled_up",
        "OLD.scaled_down",
        `NEW.scaled_${direction}`,
        `NEW.scale_${direction}_cooldown`,
      ];
      const when = `UPDATE OF scaled_${direction} ON scaling_rules`;
      parts.d1.watch(
        `marked_${direction}`,
        when,
        [...marked, "NEW.max_replicas", "NEW.created"],
        (...values) => this.#marked(direction, values as (number | null)[]),
      );
    }
  }

  #marked(
    direction: Direction,
    [upMs, downMs, atMs, cooldownSeconds, maxReplicas, createdMs]: (number | null | undefined)[],
  ): void {
    this.#marks.set(direction, { atMs: atMs ?? Number.NEGATIVE_INFINITY, maxReplicas: maxReplicas ?? 0 });
    // Taken back.
    const ownMs = (direction === "up" ? upMs : downMs) ?? Number.NEGATIVE_INFINITY;
    if (atMs == null || atMs <= ownMs) return;
    // Who has just made a rule may have work there that its queue knows nothing of.
    const lastMs = Math.max(upMs ?? 0, ...(direction === "down" ? [downMs ?? 0, createdMs ?? 0] : []));
    const fromMs = lastMs + (cooldownSeconds ?? 0) * 1000;
    this.#require(
      "cooldowns are kept",
      atMs >= fromMs,
      () => `a step ${direction} ${fromMs - atMs} ms too early`,
    );
  }

  /** What a person's call does to D1. */
  byPerson(work: () => void): void {
    this.#isPerson = true;
    work();
    this.#isPerson = false;
  }

  /** The object's storage, which is new. */
  watchStorage(storage: Database): void {
    const others =
      "(SELECT COUNT(*) FROM leases WHERE instance_id = NEW.instance_id AND job_id <> NEW.job_id)";
    const granted = [
      "NEW.machine_id",
      "NEW.instance_id",
      "NEW.phase",
      others,
      "(SELECT held FROM grant_hold)",
    ];
    storage.watch("granted", "INSERT ON leases", granted, (...lease) => {
      const [machineId, instanceId, phase, leases, held] = lease as [
        string,
        string,
        string,
        number,
        string | null,
      ];
      // Adopted is what had been granted.
      if (phase !== "claiming") return;
      this.#granted(machineId, instanceId);
      if (held !== null)
        this.#grantedInHold(`${instanceId} on ${machineId}`, instanceId, leases > 0, JSON.parse(held));
    });
    const machines = "(SELECT COUNT(DISTINCT COALESCE(machine_id, job_id)) FROM leases)";
    storage.watch("hold_set", "INSERT ON grant_hold", ["NEW.held", machines], (...hold) => {
      const [held, busyMachines] = hold as [string, number];
      const { choosing } = JSON.parse(held) as StoredHold;
      const turn = this.#turn?.decider.turn;
      if (choosing && turn?.operationId === choosing.operationId) turn.busyMachines ??= busyMachines;
    });
  }

  // Invariants 1 and 2: whom Salad takes away

  chosen(instance: SaladInstance, by: By): void {
    if (by === "person") return;
    const nowMs = this.#nowMs();
    this.#takenMs.set(instance.id, nowMs);
    const { agents, salad, storage } = this.#known;
    const lease = agents.all.get(instance.id)?.lease ?? null;
    // One whose end is being written loses nothing.
    const [row] =
      lease === null
        ? []
        : storage().all("SELECT attempt, phase FROM leases WHERE job_id = ?", [lease.jobId]);
    const holdsLease = lease !== null && row?.attempt === lease.attempt && row.phase !== "ending";
    const isTold = (salad.costs.get(instance.id) ?? 0) > 0;
    const isLate = lease !== null && !isTold && nowMs - lease.sinceMs > promptMs;
    // Costs that Salad does not tell are taken for what they shall be: nobody could know of one that was not raised in time, nor lowered yet.
    const isStale = salad.staying.some(
      ({ id }) => agents.all.get(id)?.lease == null && (salad.costs.get(id) ?? 0) > 0,
    );
    const isUnknowable = !salad.tellsCosts && (isLate || isStale);
    this.#require(
      "no instance that a step takes away holds a lease",
      !holdsLease || isUnknowable,
      () => `${instance.id} on ${instance.machineId} holds ${lease?.jobId}`,
    );
  }

  #granted(machineId: string, instanceId: string): void {
    const takenMs = this.#takenMs.get(instanceId);
    const isGoing = takenMs !== undefined && this.#nowMs() - takenMs < settlingMs;
    this.#require(
      "no instance that a step has taken gets a lease",
      !isGoing,
      () => `${instanceId} on ${machineId} gets a lease`,
    );
  }

  #grantedInHold(
    name: string,
    instanceId: string,
    hadLease: boolean,
    { choosing, doomed }: StoredHold,
  ): void {
    const nowMs = this.#nowMs();
    const isOpen = choosing !== null && choosing.untilMs > nowMs;
    const isNamed = doomed.some((one) => one.instanceId === instanceId && one.untilMs > nowMs);
    this.#require(
      "nobody who is held gets a lease",
      !isNamed && (!isOpen || hadLease),
      () => `${name} gets a lease`,
    );
  }

  // Requests

  /** Somebody has the turn. */
  get isDeciding(): boolean {
    return this.#turn?.decider.alive ?? false;
  }

  /** Within the last minute Salad was asked to take instances away. */
  get askedLately(): boolean {
    return this.#nowMs() - this.#askedForFewerMs < minute;
  }

  asks(decider: Decider, call: Call, replicas?: number): void {
    this.note(`${decider.name} asks ${call}${replicas === undefined ? "" : ` ${replicas}`}`);
    this.#count();
    if (call !== "setReplicas" && call !== "startGroup" && call !== "stopGroup") return;
    const mayChange = decider.errand !== "dry run";
    this.#require("a dry run asks for no change", mayChange, () => `${decider.name} asks ${call}`);
    const { turn } = decider;
    const isIts = turn !== null && this.#turn?.decider === decider;
    this.#require(
      "one decider at a time asks for changes",
      isIts,
      () => `${decider.name} asks ${call} out of its turn`,
    );
    if (!turn) return;
    const direction = this.#directionOf(turn, call);
    if (turn.changes.every((change) => change.call !== call)) turn.changes.push({ call, direction });
    const mark = this.#marks.get(direction);
    const isMarked = mark !== undefined && mark.atMs >= turn.sinceMs;
    this.#require(
      "what is asked of Salad has its mark on the rule",
      isMarked,
      () => `${decider.name}: ${call} without scaled_${direction}`,
    );
    if (direction === "down") {
      this.#askedForFewerMs = this.#nowMs();
      const isNoSubmission = decider.errand !== "submitted";
      this.#require(
        "a submission steps up only",
        isNoSubmission,
        () => `${decider.name} asks ${call} ${replicas}`,
      );
    }
    if (call === "setReplicas" && direction === "up")
      this.#asksForMore(decider, turn, replicas ?? 0, mark?.maxReplicas ?? 0);
    if (call === "setReplicas" && direction === "down") this.#asksForFewer(decider, turn, replicas ?? 0);
    if (call === "stopGroup") {
      const leases = this.#known.storage().all("SELECT job_id, machine_id, phase FROM leases", []);
      this.#require(
        "stop is asked only when no lease lives",
        leases.length === 0,
        () => `${JSON.stringify(leases)} live`,
      );
    }
  }

  #directionOf(turn: TurnNotes, call: Call): Direction {
    if (call === "stopGroup") return "down";
    if (call === "startGroup") return "up";
    if (turn.busyMachines !== null) return "down";
    const mark = this.#marks.get("down");
    return mark && mark.atMs >= turn.sinceMs ? "down" : "up";
  }

  #asksForMore({ name }: Decider, turn: TurnNotes, replicas: number, max: number): void {
    this.#require(
      "never more than max_replicas",
      replicas <= max,
      () => `${name} asks for ${replicas}, the maximum is ${max}`,
    );
    const { room } = turn;
    this.#require(
      "never more than the quota leaves",
      room === null || replicas <= room,
      () => `${name} asks for ${replicas}, the quota leaves ${room}`,
    );
  }

  #asksForFewer({ name, group }: Decider, { busyMachines }: TurnNotes, replicas: number): void {
    this.#require(
      "fewer are asked for only while grants are held",
      busyMachines !== null,
      () => `${name} asks for ${replicas}`,
    );
    const isEnough = replicas >= (busyMachines ?? 0);
    this.#require(
      "never fewer than machines are busy",
      isEnough,
      () => `${name} asks for ${replicas}, ${busyMachines} are busy`,
    );
    const isFewer = group === null || replicas < group.replicas;
    this.#require(
      "a step down asks for fewer",
      isFewer,
      () => `${name} asks for ${replicas} of ${group?.replicas}`,
    );
  }

  #count(): void {
    const nowMs = this.#nowMs();
    this.#sentMs.push(nowMs);
    while ((this.#sentMs[0] ?? nowMs) <= nowMs - minute) this.#sentMs.shift();
    const count = this.#sentMs.length;
    this.#require(
      "at most 230 requests in any minute",
      count <= mostRequestsPerMinute,
      () => `${count} requests`,
    );
  }

  /** Others ask Salad with the same key: their requests count. */
  othersAsk(): void {
    this.#count();
  }

  // Turns, and what is written of them

  takesTurn(decider: Decider, operationId: string, isIts: boolean): void {
    if (!isIts) return;
    const isRenewed = decider.turn?.operationId === operationId;
    this.#turn = { decider, operationId };
    if (isRenewed) return;
    decider.turn = {
      operationId,
      sinceMs: this.#nowMs(),
      room: null,
      busyMachines: null,
      changes: [],
      mayBeMade: false,
      unseen: false,
    };
  }

  endsTurn(decider: Decider, operationId: string): void {
    const { turn } = decider;
    if (turn?.operationId !== operationId) return;
    if (this.#turn?.operationId === operationId) this.#turn = null;
    decider.turn = null;
    if (decider.failed) return;
    this.#leavesTheRest(decider, turn);
    for (const { call, direction } of turn.changes) {
      const isTold = this.#isInHistory(direction, turn.sinceMs);
      this.#require(
        "a step that was asked for is in the history",
        isTold,
        () => `${decider.name} asked ${call}, and wrote nothing`,
      );
    }
  }

  #leavesTheRest(decider: Decider, { sinceMs, mayBeMade, unseen }: TurnNotes): void {
    this.#require("what became of a change is looked at", !unseen, () => `${decider.name} looks at nothing`);
    const [rule] = this.#known.d1.all("SELECT scaled_up, scaled_down FROM scaling_rules", []);
    const isMarked =
      rule !== undefined && Math.max(Number(rule.scaled_up), Number(rule.scaled_down)) >= sinceMs;
    this.#require(
      "a step that cannot have been made begins no cooldown",
      mayBeMade || !isMarked,
      () => decider.name,
    );
  }

  #isInHistory(direction: Direction, sinceMs: number): boolean {
    const actions = direction === "up" ? "'start', 'scale_up'" : "'stop', 'scale_down'";
    const [row] = this.#known.d1.all(
      `SELECT 1 FROM scaling_events WHERE action IN (${actions}) AND (at >= ? OR (error IS NOT NULL AND at > ?)) LIMIT 1`,
      [sinceMs, this.#nowMs() - sameAgainMs],
    );
    return row !== undefined;
  }

  ended(decider: Decider, error: unknown): void {
    const isExplained = error === null || decider.failed;
    this.#require(
      "the autoscaler throws only what D1 or the object threw",
      isExplained,
      () => `${decider.name}: ${error}`,
    );
  }

  get #known() {
    if (this.#parts === null) throw new Error("nothing is watched yet");
    return this.#parts;
  }

  #require(invariant: string, holds: boolean, say: () => string): void {
    this.#verdict.require(invariant, null, holds, say);
  }
}
