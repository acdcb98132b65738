/** What agents asked of the API and what it answered: claims, renewals, reports, as they passed on the wire. */
import { z } from "zod";
import {
  ErrorBody,
  RefusalReason,
  RenewalAnswer,
  RenewalRequest,
  Report,
} from "../../../src/contract/index.ts";
import type { Exchange } from "../network/http-proxy.ts";

/** Milliseconds since the epoch, all by the clock of one process. */
const Time = z.int();

const common = {
  node: z.string(),
  headMs: Time,
  /** Absent: the request did not arrive in full. */
  bodyMs: Time.optional(),
  /** These two absent: no answer came. */
  answeredMs: Time.optional(),
  status: z.int().optional(),
};
export const Claim = z.object({
  ...common,
  kind: z.literal("claim"),
  claimId: z.string().optional(),
  granted: z.object({ job: z.string(), attempt: z.int() }).optional(),
});
export type Claim = z.infer<typeof Claim>;

/** One lease of a renewal: a call that carries three is three of these. */
export const Renewal = z.object({
  ...common,
  kind: z.literal("renewal"),
  job: z.string(),
  attempt: z.int(),
  told: z.enum(["running", "canceled"]).optional(),
  reason: RefusalReason.optional(),
});
export type Renewal = z.infer<typeof Renewal>;

export const EndReport = z.object({
  ...common,
  kind: z.literal("report"),
  job: z.string(),
  attempt: z.int(),
  end: z.enum(["completed", "failed", "released"]),
  reason: RefusalReason.optional(),
});
export type EndReport = z.infer<typeof EndReport>;

export const WireEvent = z.discriminatedUnion("kind", [Claim, Renewal, EndReport]);
export type WireEvent = z.infer<typeof WireEvent>;

const isGood = (status: number | undefined) => status !== undefined && status >= 200 && status < 300;

/** None where the exchange is something else, or so broken that it says nothing. Lease tokens stay out of the log. */
export function wireEventsOf(node: string, exchange: Exchange): WireEvent[] {
  const { headMs, bodyMs, answeredMs, status, method } = exchange;
  const known = { node, headMs, bodyMs, answeredMs, status: answeredMs === undefined ? undefined : status };
  const url = new URL(exchange.path, "http://api");
  if (method === "GET" && url.pathname === "/work") {
    const claimId = url.searchParams.get("claim_id") ?? undefined;
    return [{ ...known, kind: "claim", claimId, granted: grantIn(known.status, exchange.responseBody) }];
  }
  if (method !== "POST") return [];
  if (url.pathname === "/leases/renew") return renewalsOf(known, exchange);
  const [, job, end] = /^\/jobs\/([^/]+)\/(completed|failed|released)$/.exec(url.pathname) ?? [];
  const report = Report.safeParse(jsonOf(exchange.requestBody)).data;
  if (job === undefined || report?.attempt === undefined) return [];
  const { data: refusal } = ErrorBody.safeParse(jsonOf(exchange.responseBody));
  return [
    {
      ...known,
      kind: "report",
      job,
      attempt: report.attempt,
      end: EndReport.shape.end.parse(end),
      reason: isGood(status) ? undefined : refusal?.reason,
    },
  ];
}

function renewalsOf(known: z.infer<z.ZodObject<typeof common>>, exchange: Exchange): Renewal[] {
  const request = RenewalRequest.safeParse(jsonOf(exchange.requestBody)).data;
  const answer = isGood(known.status) ? RenewalAnswer.parse(jsonOf(exchange.responseBody)) : undefined;
  return (request?.leases ?? []).map(({ job_id, attempt }) => {
    const told = answer?.leases.find((lease) => lease.job_id === job_id && lease.attempt === attempt);
    return {
      ...known,
      kind: "renewal",
      job: job_id,
      attempt,
      told: told?.status,
      reason: told?.reason,
    };
  });
}

const Granted = z.array(z.object({ id: z.string(), attempt: z.int() })).max(1);

function grantIn(status: number | undefined, body: string | undefined) {
  if (!isGood(status)) return undefined;
  const [job] = Granted.parse(jsonOf(body));
  return job && { job: job.id, attempt: job.attempt };
}

function jsonOf(body: string | undefined): unknown {
  try {
    return JSON.parse(body ?? "");
  } catch {
    return undefined; // Cut short, or none: the schema that it meets next says no.
  }
}
