/**
 * One request after the other, each about something that is there: what a request needs before it (a lease, an id, a job that has ended, a
 * URL) is made by other requests first, as the document and earlier answers tell.
 */
import type { Random } from "../../test/simulation/world/random.ts";
import { build } from "./build.ts";
import type { Answer } from "./call.ts";
import { type Caller, type Callers, heldGroup } from "./callers.ts";
import type { Document, Operation } from "./document.ts";
import { Experience, untriedRate } from "./experience.ts";
import type { Marks } from "./marks.ts";
import { type Facts, type Granted, heldJob, type Known, kindOf } from "./memory.ts";
import { mutate, type Sendable } from "./mutate.ts";
import { callPatiently, parsed } from "./patient.ts";
import { finishUpload } from "./upload.ts";

export interface Stage {
  url: string;
  document: Document;
  random: Random;
  callers: Callers;
  marks: Marks;
  /** Ids of container groups that are on SaladCloud; none: they are not known. */
  groups: readonly string[];
  /** Told of each answer, or that none came. */
  judge(caller: Caller, request: Sendable, answer: Answer): Promise<void>;
  /** Before a request is sent: whether it may be. */
  admit(request: Sendable): Promise<boolean>;
}

export interface Played {
  request: Sendable;
  /** Undefined: it was not sent. */
  answer?: Answer;
  isAccepted: boolean;
  /** What it was about, as the answer has left it. */
  known?: Known | undefined;
}

interface Wish {
  isSpoiled?: boolean;
  /** What the experience with the thing's state counts for (Default: the route). */
  goal?: string;
  /** What it is to be about (Default: what fits, made where it is not there). */
  known?: Known | undefined;
  says?: Caller["says"];
  /** Of requests that are made for another's sake. */
  depth?: number;
}

/** Of turns about a held job: such a job is made first, or most would be about one that has ended. */
const heldShare = 0.7;
/** Of turns, those about a thing in the state of which most is hoped for. The rest takes what there is. */
const fitShare = 0.8;
/** Another state is brought about where so much more is hoped for. */
const worthwhile = 0.2;
/** A request for a request for a request. */
const maxDepth = 3;
/** Of turns by a permission, those for which a new one is asked though there is one. */
const newGrantShare = 0.5;

export class Player {
  readonly #stage: Stage;
  readonly #experience = new Experience();
  /** Paths of URLs that answers have given. */
  readonly #grantedPaths = new Set<string>();
  /** Routes that answer permissions. */
  readonly #granters: Operation[];

  constructor(stage: Stage) {
    this.#stage = stage;
    this.#granters = stage.document.operations.filter(({ tells }) =>
      ["method", "url", "headers"].every((name) => tells.has(name)),
    );
  }

  async play(operation: Operation, caller: Caller, wish: Wish = {}): Promise<Played> {
    const { url, document, random, groups, marks } = this.#stage;
    const { isSpoiled = false, goal = operation.route, depth = 0 } = wish;
    const { headers, memory } = caller;
    const granted = await this.#permission(operation, caller, depth);
    const known = granted ? undefined : (wish.known ?? (await this.#find(operation, caller, goal, depth)));
    // It changes by what is learned.
    const before = known?.state;
    const marker = marks.next();
    const says = { ...caller.says, ...wish.says };
    const about = { random, schemas: document.schemas, headers, marker, groups, says };
    const built = build({ ...about, facts: known?.facts, granted }, operation);
    let request = built.request;
    if (operation.path.endsWith("uploads/complete")) {
      request = await finishUpload(url, headers, request, built.asked).catch(() => request);
    }
    if (isSpoiled) request = mutate(request, random);
    if (!(await this.#stage.admit(request))) return { request, isAccepted: false, known };

    const answer = await callPatiently(url, request);
    if (answer.status >= 400 && answer.status < 500) marks.refused.add(marker);
    const isAccepted = answer.status >= 200 && answer.status < 300;
    const played = { request, answer, isAccepted, known };
    if (isSpoiled || request.method !== operation.method) {
      if (granted) memory.keepGrant(granted);
    } else {
      if (granted) this.#judgePermission(operation, caller, granted, isAccepted);
      if (before !== undefined) this.#experience.note(operation.route, before, isAccepted);
      if (isAccepted) played.known = this.#learn(operation, caller, built.asked, answer, before) ?? known;
    }
    await this.#stage.judge(caller, request, answer);
    return played;
  }

  #learn(operation: Operation, { memory }: Caller, asked: Facts, { status, text }: Answer, before?: string) {
    // 202: it goes on, in another state.
    if (operation.method === "DELETE" && status !== 202) return memory.drop(operation.path, asked);
    const { known, granted } = memory.learn(operation, asked, parsed(text), before);
    for (const grant of granted) this.#grantedPaths.add(grant.url.pathname);
    return known.at(-1);
  }

  /** Something for the operation to be about: fit for it as far as is known, and with all names that it has to say. */
  async #find(operation: Operation, caller: Caller, goal: string, depth: number): Promise<Known | undefined> {
    const { random } = this.#stage;
    const { path, required } = operation;
    const hope = (state: string) => this.#experience.rate(goal, state);
    const best = this.#experience.best(goal);
    const isAboutHeld = kindOf(path, {}) === heldJob;
    // Not for what wants jobs that have ended.
    const isHoldFit = hope(claim.route) + worthwhile >= (best === undefined ? untriedRate : hope(best));
    let known = isAboutHeld && isHoldFit && random.chance(heldShare) ? await this.#hold(caller) : undefined;
    known ??= caller.memory.recall(path, random, required, random.chance(fitShare) ? hope : undefined);
    if (depth >= maxDepth) return known;

    const better = best ?? this.#untried(operation, caller, hope);
    const isWorthwhile = better !== undefined && hope(better) > (known ? hope(known.state) : 0) + worthwhile;
    if (isWorthwhile && random.chance(fitShare)) {
      known = (await this.#bringAbout(better, caller, depth + 1)) ?? known;
    }

    const lacking = required.filter((name) => known?.facts[name] === undefined);
    const maker = this.#stage.document.operations
      .filter(
        (other) =>
          other.method === "POST" &&
          path.startsWith(`${other.path}/`) &&
          other.mayCall.includes(caller.role) &&
          lacking.some((name) => other.tells.has(name)),
      )
      .sort((a, b) => b.path.length - a.path.length)[0];
    if (!maker) return known;
    const made = await this.play(maker, caller, { known, depth: depth + 1 });
    return made.isAccepted ? merged(known, made.known) : known;
  }

  /** Where nothing has worked yet: a state that might, of those in which requests leave things of this sort. */
  #untried(
    { path, route }: Operation,
    { role }: Caller,
    hope: (state: string) => number,
  ): string | undefined {
    const { document, random } = this.#stage;
    const sort = path.split("/")[1];
    const states = document.operations.filter(
      (other) =>
        other.route !== route &&
        other.method !== "GET" &&
        // Not what clears all there is.
        (other.method !== "DELETE" || other.path.includes("{")) &&
        other.path.split("/")[1] === sort &&
        other.mayCall.includes(role) &&
        hope(other.route) === untriedRate,
    );
    return states.length > 0 ? random.pick(states).route : undefined;
  }

  /** A thing in the state in which that route leaves it. Undefined: there could be none. */
  async #bringAbout(state: string, caller: Caller, depth: number): Promise<Known | undefined> {
    const step = this.#stage.document.operations.find(({ route }) => route === state);
    if (!step?.mayCall.includes(caller.role)) return undefined;
    if (step.route === claim.route) return this.#hold(caller);
    // It changes nothing: what it told of was in that state before.
    if (step.method === "GET") return undefined;
    const played = await this.play(step, caller, { depth });
    return played.isAccepted ? played.known : undefined;
  }

  /** A job under a lease: queued, and claimed, or maybe another. */
  async #hold(caller: Caller): Promise<Known | undefined> {
    const { url, callers, marks } = this.#stage;
    const mark = marks.next();
    const { headers } = callers.submitterFor(caller);
    const body = JSON.stringify({
      command: "held",
      container_group_id: heldGroup,
      max_failures: 1000,
      sync: {},
    });
    const submission = { method: "POST", path: "/jobs", query: [], headers, body };
    const submitted = await callPatiently(url, submission);
    await this.#stage.judge(caller, submission, submitted);
    const said = { machine_id: `${mark}node`, container_group_id: heldGroup };
    const query = Object.entries({ ...said, claim_id: `${mark}claim` });
    const request = { method: "GET", path: claim.path, query, headers: caller.headers };
    const claimed = await callPatiently(url, request);
    await this.#stage.judge(caller, request, claimed);
    if (claimed.status !== 200) return undefined;
    const { known } = caller.memory.learn(claim, said, parsed(claimed.text));
    return known.findLast(({ facts }) => facts.lease_token !== undefined);
  }

  /** For a route that is called by URLs that others answer: one of them, new or used before. */
  async #permission(operation: Operation, caller: Caller, depth: number): Promise<Granted | undefined> {
    if (!this.#grantedPaths.has(operation.path)) return undefined;
    const { random } = this.#stage;
    const { memory, role } = caller;
    const hope = (by: string) => this.#experience.rate(byWhom(operation), by);
    const there = memory.takeGrant(operation, hope);
    const mayAsk = this.#granters.filter(({ mayCall }) => mayCall.includes(role));
    const isEnough = there && hope(there.by) >= untriedRate && !random.chance(newGrantShare);
    if (isEnough || mayAsk.length === 0 || depth >= maxDepth) return there;

    const most = Math.max(...mayAsk.map(({ route }) => hope(route)));
    const isFit = random.chance(fitShare);
    const granter = random.pick(isFit ? mayAsk.filter(({ route }) => hope(route) === most) : mayAsk);
    await this.play(granter, caller, {
      goal: byWhom(operation, granter.route),
      says: { method: [operation.method] },
      depth: depth + 1,
    });
    const taken = memory.takeGrant(operation, (by) => (by === granter.route ? 1 : 0));
    if (there) memory.keepGrant(there);
    if (taken?.by === granter.route) return taken;
    if (taken) memory.keepGrant(taken);
    this.#experience.note(byWhom(operation), granter.route, false);
    return memory.takeGrant(operation, hope);
  }

  #judgePermission(operation: Operation, { memory }: Caller, granted: Granted, isGood: boolean): void {
    this.#experience.note(byWhom(operation), granted.by, isGood);
    this.#experience.note(byWhom(operation, granted.by), granted.state, isGood);
    // Most are good until they expire.
    if (isGood) memory.keepGrant({ ...granted, by: operation.route });
  }
}

const claim = { method: "GET", path: "/work", route: "GET /work" };

/** What experience with permissions counts for: with who gives them, and with what they were asked for. */
function byWhom({ route }: Operation, granter?: string): string {
  return granter === undefined ? `${route}, permitted` : `${route}, permitted by ${granter}`;
}

function merged(one: Known | undefined, other: Known | undefined): Known | undefined {
  return one && other ? { facts: { ...one.facts, ...other.facts }, state: other.state } : (other ?? one);
}
