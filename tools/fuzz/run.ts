/**
 * The fuzz: what it sends, what it holds against the API.
 * - No 5xx, no answer that does not come.
 * - Nothing of a refused request is found again: each request has a mark of its own in all its free texts, and no list, whoever of the
 *   callers reads it, shows the mark of a request that was answered with 4xx.
 * - Each route accepts a good share of its requests, or it was not tested at all.
 * One request after the other, so that a seed is a run; ids are the API's own, their places in the run are not.
 */
import { Random } from "../../test/simulation/world/random.ts";
import { call } from "./call.ts";
import { Callers } from "./callers.ts";
import { type Operation, type Role, readDocument, roles } from "./document.ts";
import { Marks, searchMarks } from "./marks.ts";
import { memberNameIn } from "./memory.ts";
import type { Sendable } from "./mutate.ts";
import { Player } from "./player.ts";

export interface FuzzSettings {
  url: string;
  adminKey: string;
  requests: number;
  seed: number;
  /** Whether to send what clears all jobs, users or rules. */
  destructive: boolean;
  /** Ids of container groups on SaladCloud (place.ts). None: no scaling rule can be made. */
  groups?: readonly string[];
  tell?: (line: string) => void;
}

export interface RouteCount {
  route: string;
  sent: number;
  accepted: number;
  byStatus: Map<number, number>;
}

/** What a caller's credential was good for. */
export interface CallerCount {
  role: Role;
  sent: number;
  accepted: number;
}

export interface FuzzReport {
  seed: number;
  /** Turns by route; what was sent to prepare them is judged, and not counted. */
  routes: RouteCount[];
  /** The same turns by caller. */
  callers: CallerCount[];
  /** What must not be, in words; the first hundred. */
  violations: string[];
  /** Marks of refused requests that were looked for. */
  refused: number;
}

/** Of requests to each route. */
export const leastAccepted = 0.05;
const spoiledShare = 0.45;
/** One in so many turns, where a turn falls on a route that clears everything. */
const clearsOneIn = 40;
const maxViolations = 100;
/** How often the lists are searched for marks, beside at the end. */
const searchEvery = 2500;
/** Of a request that broke a promise: all of it, but of a huge body. */
const maxToldChars = 4000;

export async function runFuzz(settings: FuzzSettings): Promise<FuzzReport> {
  const { url, seed, groups = [], tell = () => undefined } = settings;
  const document = readDocument(
    (await call(url, { method: "GET", path: "/openapi.json", query: [], headers: {} })).text,
  );
  const random = new Random(seed);
  const { operations } = document;
  const counts = new Map<Operation, RouteCount>();
  const callerCounts = new Map(
    roles.map((role): [Role, CallerCount] => [role, { role, sent: 0, accepted: 0 }]),
  );
  const violations: string[] = [];
  const complain = (problem: string) => {
    if (violations.length < maxViolations) violations.push(problem);
  };
  const marks = new Marks(seed);
  const memberName = memberNameIn(operations.map(({ path }) => path));
  const callers = new Callers(url, settings.adminKey, marks.run, memberName);
  await callers.renew();
  const search = async () => {
    for (const caller of callers.people)
      for (const found of await searchMarks(url, document, caller, marks)) complain(found);
  };

  // Also one that another method has made of a good one.
  const isClearing = ({ method, path }: Sendable) =>
    operations.some((other) => clears(other) && other.method === method && other.path === path);
  let number = 0;
  const player = new Player({
    url,
    document,
    random,
    callers,
    marks,
    groups,
    async admit(request) {
      if (!isClearing(request)) return true;
      // Or it would clear what should not have been there.
      if (settings.destructive) await search();
      return settings.destructive;
    },
    async judge(caller, request, answer) {
      const where = `request ${number} of ${caller.role}: ${request.method} ${request.path.slice(0, 200)}`;
      if (answer.status === 0) complain(`${where}: ${answer.problem}`);
      else if (answer.status >= 500) complain(`${where}: ${answer.status} ${answer.text} (${told(request)})`);
      if (answer.status < 200 || answer.status >= 300) return;
      if (isClearing(request)) for (const each of callers.clearedBy(caller)) each.memory.forget();
      if (callers.isEndOfUser(request)) await callers.renew();
    },
  });

  const turns = operations.filter((operation) => settings.destructive || !clears(operation));
  for (; number < settings.requests; number++) {
    const operation = pickOperation(turns, random);
    const caller = callers.pick(operation, random);
    const isSpoiled = random.chance(spoiledShare);
    const { request, answer } = await player.play(operation, caller, { isSpoiled });
    // What another method did is not this route's.
    if (answer && request.method === operation.method) {
      const isAccepted = answer.status > 0 && answer.status < 400;
      count(counts, operation, answer.status, isAccepted);
      const counted = callerCounts.get(caller.role);
      if (counted) counted.sent++;
      if (counted && isAccepted) counted.accepted++;
    }
    if ((number + 1) % searchEvery === 0 || number + 1 === settings.requests) {
      await search();
      const refused = marks.refused.size;
      tell(
        `${number + 1} of ${settings.requests} requests, ${refused} refused, ${violations.length} violations`,
      );
    }
  }
  for (const { route, sent, accepted } of counts.values()) {
    // A share of few is chance.
    if (sent >= 60 && accepted < sent * leastAccepted)
      complain(`${route}: only ${accepted} of ${sent} requests were accepted`);
  }
  const routes = [...counts.values()];
  return { seed, routes, callers: [...callerCounts.values()], violations, refused: marks.refused.size };
}

/** Removes all there is: no id, no filter that must be given. */
function clears({ method, path, parameters }: Operation): boolean {
  return method === "DELETE" && !path.includes("{") && !parameters.some(({ required }) => required);
}

function pickOperation(operations: Operation[], random: Random): Operation {
  const operation = random.pick(operations);
  const again = clears(operation) && !random.chance(1 / clearsOneIn);
  return again ? pickOperation(operations, random) : operation;
}

function count(
  counts: Map<Operation, RouteCount>,
  operation: Operation,
  status: number,
  isAccepted: boolean,
): void {
  const { route } = operation;
  const known = counts.get(operation) ?? { route, sent: 0, accepted: 0, byStatus: new Map<number, number>() };
  known.sent++;
  if (isAccepted) known.accepted++;
  known.byStatus.set(status, (known.byStatus.get(status) ?? 0) + 1);
  counts.set(operation, known);
}

/** As a report tells it. It may be kept: whoever reads it should not be able to call. */
function told({ headers, ...request }: Sendable): string {
  const harmless = Object.entries(headers).filter(([name]) => name.toLowerCase() !== "x-kelpie-key");
  return JSON.stringify({ ...request, headers: Object.fromEntries(harmless) }).slice(0, maxToldChars);
}
