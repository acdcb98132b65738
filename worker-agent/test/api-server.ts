/**
 * The API as the agent sees it, over real HTTP: one group's queue, leases and reports, checked with the contract's own
 * schemas. Faults are injected per call; tests await calls, not time.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import {
  type ClaimedJob,
  ClaimQuery,
  type ErrorBody,
  type Job,
  type RefusalReason,
  type RenewalAnswer,
  RenewalRequest,
  Report,
} from "../../src/contract/index.ts";

type ReportRoute = "completed" | "failed" | "released";
export type Call =
  | { route: "claim"; query: ClaimQuery; headers: IncomingMessage["headers"] }
  | { route: "renew"; body: RenewalRequest }
  | { route: ReportRoute; jobId: string; body: Report };

/** `unreachable`: not applied, no answer. `answer_lost`: applied, no answer. A number: that status, not applied. */
export type Fault = "unreachable" | "answer_lost" | number;

interface QueuedJob {
  job: Job;
  token: string;
  claimId?: string;
  refusal?: RefusalReason;
  end?: ReportRoute;
}

export class ApiServer {
  readonly calls: Call[] = [];
  /** Asked for each call; undefined means that all is well. */
  fault: (call: Call) => Fault | undefined | Promise<Fault | undefined> = () => undefined;
  leaseSeconds = 20;
  /** Told with the answer to every report. */
  reallocate: string | undefined;
  readonly #jobs: QueuedJob[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  static async start(): Promise<ApiServer> {
    const server = new ApiServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    return server;
  }

  /** For what is not plain HTTP. */
  get http(): Server {
    return this.#server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  /** Queues a job; its id. */
  submit(fields: Partial<Job>): string {
    const job = { ...blankJob, id: randomUUID(), ...fields };
    this.#jobs.push({ job, token: randomUUID() });
    return job.id;
  }

  /** Another attempt holds the job from now on. */
  supersede(jobId: string, reason: RefusalReason = "superseded"): void {
    this.#find(jobId).refusal = reason;
  }

  /** What its first attempt's calls prove their lease with. */
  firstLease(jobId: string): { jobId: string; attempt: number; token: string } {
    return { jobId, attempt: 1, token: this.#find(jobId).token };
  }

  /** How the job was reported to have ended. */
  endOf(jobId: string): ReportRoute | undefined {
    return this.#find(jobId).end;
  }

  /** The first call, past or future, that satisfies the condition. */
  async until<C extends Call>(condition: (call: Call) => call is C): Promise<C>;
  async until(condition: (call: Call) => boolean): Promise<Call>;
  async until(condition: (call: Call) => boolean): Promise<Call> {
    for (;;) {
      const found = this.calls.find(condition);
      if (found) return found;
      await new Promise<void>((resolve) => this.#watchers.add(resolve));
    }
  }

  /** The report of a job's end by this route. */
  async report(route: ReportRoute, jobId: string): Promise<Report> {
    const call = await this.until(
      (call): call is Extract<Call, { jobId: string }> => call.route === route && call.jobId === jobId,
    );
    return call.body;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    let text = "";
    for await (const chunk of request) text += chunk;
    const call = parseCall(request, url, text);
    if (!call) {
      refuse(response, 404, "not_found", "no such route");
      return;
    }
    const fault = await this.fault(call);
    this.calls.push(call);
    if (typeof fault === "number") refuse(response, fault, "unavailable", "injected");
    else if (fault === "unreachable") request.socket.destroy();
    else if (fault === "answer_lost") {
      this.#apply(call);
      request.socket.destroy();
    } else this.#apply(call, response);
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }

  #apply(call: Call, response?: ServerResponse): void {
    if (call.route === "claim") send(response, 200, this.#claim(call.query));
    else if (call.route === "renew") send(response, 200, this.#renew(call.body));
    else this.#report(call.route, call.jobId, call.body, response);
  }

  #claim({ claim_id, machine_id }: ClaimQuery): ClaimedJob[] {
    const queued =
      this.#jobs.find((other) => claim_id && other.claimId === claim_id) ??
      this.#jobs.find((other) => other.job.status === "pending");
    if (!queued) return [];
    if (queued.claimId !== claim_id) {
      queued.claimId = claim_id;
      queued.job = { ...queued.job, status: "running", attempt: queued.job.attempt + 1, machine_id };
    }
    return [{ ...queued.job, lease_token: queued.token, lease_seconds: this.leaseSeconds }];
  }

  #renew(body: RenewalRequest): RenewalAnswer {
    return {
      leases: body.leases.map(({ job_id, attempt, lease_token }) => {
        const { job, token, refusal, end } = this.#find(job_id);
        const reason =
          refusal ??
          (end === "released" ? "superseded" : end) ??
          (token === lease_token && job.attempt === attempt ? undefined : "not_holder");
        return reason
          ? { job_id, attempt, status: "canceled", reason }
          : { job_id, attempt, status: "running", lease_seconds: this.leaseSeconds };
      }),
    };
  }

  #report(route: ReportRoute, jobId: string, body: Report, response?: ServerResponse): void {
    const queued = this.#find(jobId);
    const holds = queued.token === body.lease_token && queued.job.attempt === body.attempt;
    const ended = queued.end && queued.end !== route ? "superseded" : undefined;
    const refusal = queued.refusal ?? (holds ? ended : "not_holder");
    if (refusal) {
      refuse(response, 409, "conflict", "not current", refusal);
      return;
    }
    queued.end = route;
    send(response, route === "failed" ? 202 : 200, { message: "ok", reallocate: this.reallocate });
  }

  #find(jobId: string): QueuedJob {
    const queued = this.#jobs.find((other) => other.job.id === jobId);
    if (!queued) throw new Error(`the test never submitted ${jobId}`);
    return queued;
  }
}

function parseCall(request: IncomingMessage, url: URL, text: string): Call | undefined {
  if (request.method === "GET" && url.pathname === "/work") {
    const query = ClaimQuery.parse(Object.fromEntries(url.searchParams));
    return { route: "claim", query, headers: request.headers };
  }
  if (request.method !== "POST") return undefined;
  if (url.pathname === "/leases/renew") {
    return { route: "renew", body: RenewalRequest.parse(JSON.parse(text)) };
  }
  const [, jobId, route] = /^\/jobs\/([^/]+)\/(completed|failed|released)$/.exec(url.pathname) ?? [];
  if (!jobId) return undefined;
  return { route: route as ReportRoute, jobId, body: Report.parse(JSON.parse(text)) };
}

function send(response: ServerResponse | undefined, status: number, body: unknown): void {
  response?.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(body));
}

function refuse(
  response: ServerResponse | undefined,
  status: number,
  error: ErrorBody["error"],
  message: string,
  reason?: RefusalReason,
): void {
  send(response, status, { error, message, reason } satisfies ErrorBody);
}

const blankJob: Job = {
  id: "",
  user_id: "user",
  status: "pending",
  command: "true",
  arguments: [],
  environment: {},
  container_group_id: "group",
  max_failures: 3,
  heartbeat_interval: 30,
  webhook: null,
  webhook_events: null,
  compression: false,
  priority: 0,
  retry_delay_seconds: 0,
  stop_signal: "SIGTERM",
  stop_grace_seconds: 30,
  timeout_seconds: null,
  stall_timeout_seconds: null,
  progress: null,
  sync: {},
  created: new Date().toISOString(),
  started: null,
  completed: null,
  canceled: null,
  failed: null,
  heartbeat: null,
  num_failures: 0,
  num_heartbeats: 0,
  num_interruptions: 0,
  available: null,
  failed_reason: null,
  machine_id: null,
  attempt: 0,
};
