/**
 * The fuzz: what it sends, what it holds against the API.
 * - No 5xx, no answer that does not come.
 * - Nothing of a refused request is found again: each request has a mark of its own in all its free texts, and no list, whoever of the two
 *   callers reads it, shows the mark of a request that was answered with 4xx.
 * - Each route accepts a good share of its requests, or it was not tested at all.
 * One request after the other, so that a seed is a run; ids are the API's own, their places in the run are not.
 */
import { Random } from "../../test/simulation/world/random.ts";
import { build } from "./build.ts";
import { type Answer, call } from "./call.ts";
import { type Caller, Callers } from "./callers.ts";
import { type Document, type Operation, readDocument } from "./document.ts";
import { kindOf, type Memory, memberNameIn } from "./memory.ts";
import { mutate, type Sendable } from "./mutate.ts";
import { finishUpload } from "./upload.ts";

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

export interface FuzzReport {
  seed: number;
  routes: RouteCount[];
  /** What must not be, in words; the first hundred. */
  violations: string[];
  /** Marks of refused requests that were looked for. */
  refused: number;
}

/** Of requests to each route. */
export const leastAccepted = 0.05;
const spoiledShare = 0.45;
/** Of requests, the admin's apart. */
const userShare = 0.5;
/** Of turns about a held job: such a job is made first, or most would be about one that has ended. */
const heldShare = 0.7;
/** One in so many turns, where a turn falls on a route that clears everything. */
const clearsOneIn = 40;
const maxViolations = 100;
/** How often the lists are searched for marks, beside at the end. */
const searchEvery = 2500;
const maxPauseMs = 15_000;

export async function runFuzz(settings: FuzzSettings): Promise<FuzzReport> {
  const { url, seed, tell = () => undefined } = settings;
  const document = readDocument(
    (await call(url, { method: "GET", path: "/openapi.json", query: [], headers: {} })).text,
  );
  const random = new Random(seed);
  const { schemas, operations } = document;
  const counts = new Map<Operation, RouteCount>();
  const refused = new Set<string>();
  const violations: string[] = [];
  const complain = (problem: string) => {
    if (violations.length < maxViolations) violations.push(problem);
  };
  // A name in nobody else's data, also when a database has seen other runs.
  const run = `fz${seed.toString(36)}r${Date.now().toString(36)}n`;
  const callers = new Callers(url, settings.adminKey, run, memberNameIn(operations.map(({ path }) => path)));
  await callers.renew();
  const search = async () => {
    for (const caller of callers.all)
      for (const found of await searchMarks({ url, ...caller, document, run, refused })) complain(found);
  };

  const turns = operations.filter((operation) => settings.destructive || !clears(operation));
  for (let number = 0; number < settings.requests; number++) {
    const operation = pickOperation(turns, random);
    const marker = `${run}${number.toString(36)}q`;
    const caller = random.chance(userShare) ? callers.user : callers.admin;
    const { headers, memory } = caller;
    if (kindOf(operation.path, {}) === "held job" && random.chance(heldShare))
      await holdJob(url, headers, memory, `held${number}`);
    const built = build(
      { random, schemas, groups: settings.groups ?? [], headers, memory },
      operation,
      marker,
    );
    const isSpoiled = random.chance(spoiledShare);
    let request = built.request;
    if (isSpoiled) request = mutate(request, random);
    else if (operation.path.endsWith("uploads/complete")) {
      request = await finishUpload(url, headers, request, built.asked).catch(() => request);
    }
    // Also one that another method has made of a good one.
    const isClearing = operations.some(
      (other) => clears(other) && other.method === request.method && other.path === request.path,
    );
    if (isClearing && !settings.destructive) continue;
    // Or it would clear what should not have been there.
    if (isClearing) await search();

    const answer = await callPatiently(url, request);
    // What another method did is not this route's.
    const isOwn = request.method === operation.method;
    if (isOwn) count(counts, operation, answer.status);
    const where = `request ${number}: ${request.method} ${request.path.slice(0, 200)}`;
    if (answer.status === 0) complain(`${where}: ${answer.problem}`);
    else if (answer.status >= 500)
      complain(
        `${where}: ${answer.status} ${answer.text.slice(0, 200)} (${JSON.stringify({ ...request, headers: withoutCredential(request.headers) }).slice(0, 600)})`,
      );
    else if (answer.status >= 400) refused.add(marker);
    const isAccepted = answer.status >= 200 && answer.status < 300;
    if (isAccepted && isOwn && !isSpoiled) {
      if (operation.method === "DELETE") memory.drop(operation.path, built.asked);
      else memory.learn(operation.path, built.asked, parsed(answer.text));
    }
    if (isAccepted && isClearing) for (const each of clearedBy(caller, callers)) each.memory.forget();
    if (isAccepted && callers.isEndOfUser(request)) await callers.renew();

    if ((number + 1) % searchEvery === 0 || number + 1 === settings.requests) {
      await search();
      tell(
        `${number + 1} of ${settings.requests} requests, ${refused.size} refused, ${violations.length} violations`,
      );
    }
  }
  for (const { route, sent, accepted } of counts.values()) {
    // A share of few is chance.
    if (sent >= 60 && accepted < sent * leastAccepted)
      complain(`${route}: only ${accepted} of ${sent} requests were accepted`);
  }
  return { seed, routes: [...counts.values()], violations, refused: refused.size };
}

/** The admin clears everybody's, a user its own. */
function clearedBy(caller: Caller, callers: Callers): Caller[] {
  return caller === callers.admin ? callers.all : [caller];
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

function count(counts: Map<Operation, RouteCount>, operation: Operation, status: number): void {
  const route = `${operation.method} ${operation.path}`;
  const known = counts.get(operation) ?? { route, sent: 0, accepted: 0, byStatus: new Map<number, number>() };
  known.sent++;
  if (status > 0 && status < 400) known.accepted++;
  known.byStatus.set(status, (known.byStatus.get(status) ?? 0) + 1);
  counts.set(operation, known);
}

/** Queues a job and claims one, maybe another. */
async function holdJob(
  url: string,
  headers: Record<string, string>,
  memory: Memory,
  mark: string,
): Promise<void> {
  const group = "fuzz-held";
  const machine = `${mark}node`;
  const body = JSON.stringify({ command: "held", container_group_id: group, max_failures: 1000, sync: {} });
  await callPatiently(url, { method: "POST", path: "/jobs", query: [], headers, body });
  const query: [string, string][] = [
    ["machine_id", machine],
    ["container_group_id", group],
    ["claim_id", `${mark}claim`],
  ];
  const claimed = await callPatiently(url, { method: "GET", path: "/work", query, headers });
  memory.learn("/work", { machine_id: machine, container_group_id: group }, parsed(claimed.text));
}

/** A 429, or a 503 that passes, is no verdict on the request: it is sent again when it may be. */
async function callPatiently(url: string, request: Sendable): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    const answer = await call(url, request);
    const mayPass = answer.status === 429 ? tries < 10 : answer.status === 503 && tries < 3;
    if (!mayPass) return answer;
    const seconds = Number(answer.headers["retry-after"] ?? 1);
    await new Promise((done) => setTimeout(done, Math.min(seconds * 1000, maxPauseMs)));
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

interface Search {
  url: string;
  headers: Record<string, string>;
  document: Document;
  memory: Memory;
  run: string;
  refused: ReadonlySet<string>;
}

/** Reads every list to its end, and what hangs on some known things, and tells of each mark that should not be there. */
async function searchMarks({ url, headers, document, memory, run, refused }: Search): Promise<string[]> {
  const found = new Set<string>();
  const look = (text: string, path: string) => {
    for (const [mark] of text.matchAll(new RegExp(`${run}[0-9a-z]+q`, "g"))) {
      if (refused.has(mark)) found.add(`GET ${path} shows ${mark}, of a request that was refused`);
    }
  };
  for (const { method, path, parameters, responses } of document.operations) {
    const needed = parameters.filter(({ required }) => required);
    if (method !== "GET" || responses.has("101") || needed.some((parameter) => parameter.in !== "path"))
      continue;
    const known = needed.length === 0 ? {} : memory.recall(path, new Random(found.size));
    if (!known) continue;
    const filled = path.replaceAll(/{(\w+)}/g, (_all, name: string) =>
      encodeURIComponent(String(known[name] ?? "none")),
    );
    const long = ["page_size", "limit"].filter((name) =>
      parameters.some((parameter) => parameter.name === name),
    );
    const sizes = long.map((name): [string, string] => [name, "500"]);
    let cursor: [string, string][] = [];
    // More pages than any run writes.
    for (let page = 0; page < 1000; page++) {
      const answer = await callPatiently(url, {
        method,
        path: filled,
        query: [...sizes, ...cursor],
        headers,
      });
      look(answer.text, filled);
      const next = (parsed(answer.text) as { next_cursor?: unknown } | null)?.next_cursor;
      if (typeof next !== "string") break;
      cursor = [["cursor", next]];
    }
  }
  return [...found];
}

/** A report may be kept: whoever reads it should not be able to call. */
function withoutCredential(headers: Record<string, string>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).filter(([name]) => name.toLowerCase() !== "x-kelpie-key"),
  );
}
