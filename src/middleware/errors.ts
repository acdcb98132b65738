/** From what went wrong to the answer: the only place that knows statuses and wording of errors. */
import type { Context } from "hono";
import type { ErrorBody, RefusalReason } from "../contract/index.ts";
import { isTransient } from "../db/transient.ts";
import { ApiError, type ErrorFacts, type Fault } from "./api-error.ts";
import type { AppEnv } from "./app-env.ts";

/** Hono's `onError`: never a stack trace; what is unexpected is a bare 500 here and told in full by the request log. */
export function respondToError(error: Error, c: Context<AppEnv>): Response {
  return respond(c, faultOf(error));
}

/** Hono's `notFound`. */
export function respondNotFound(c: Context<AppEnv>): Response {
  return respond(c, { code: "not_found", facts: { what: "route" } });
}

function faultOf(error: Error): Fault {
  if (error instanceof ApiError) return error.fault;
  return isTransient(error) ? { code: "unavailable", facts: {} } : { code: "internal", facts: {} };
}

function respond(c: Context<AppEnv>, fault: Fault): Response {
  switch (fault.code) {
    case "invalid_request": {
      const { problem, field, index } = fault.facts;
      const where = [index === undefined ? [] : `job ${index}`, field ?? []].flat().join(", ");
      const message = where === "" ? problem : `${where}: ${problem}`;
      return c.json<ErrorBody>({ error: fault.code, message, field, index }, 400);
    }
    case "unauthorized":
      return c.json<ErrorBody>({ error: fault.code, message: fault.facts.problem }, 401);
    case "forbidden":
      return c.json<ErrorBody>({ error: fault.code, message: fault.facts.problem }, 403);
    case "not_found": {
      const message = missing(fault.facts.what);
      return c.json<ErrorBody>({ error: fault.code, message }, 404);
    }
    case "conflict": {
      const { reason } = fault.facts;
      return c.json<ErrorBody>({ error: fault.code, message: refusals[reason], reason }, 409);
    }
    case "idempotency_mismatch": {
      const message = "this Idempotency-Key was used for another request; take a new one for each submission";
      return c.json<ErrorBody>({ error: fault.code, message, field: "Idempotency-Key" }, 422);
    }
    case "length_required":
      return c.json<ErrorBody>({ error: fault.code, message: "say Content-Length" }, 411);
    case "precondition_failed":
      return c.json<ErrorBody>({ error: fault.code, message: "the object is not as you require it" }, 412);
    case "payload_too_large": {
      const { what, limitBytes, index } = fault.facts;
      const subject = index === undefined ? `the ${what}` : `job ${index}`;
      const message = `${subject} is larger than ${limitBytes} bytes`;
      return c.json<ErrorBody>({ error: fault.code, message, index }, 413);
    }
    case "range_not_satisfiable":
      return c.json<ErrorBody>({ error: fault.code, message: "the object is shorter" }, 416);
    case "upgrade_required":
      return c.json<ErrorBody>({ error: fault.code, message: "this route is a WebSocket" }, 426, {
        Upgrade: "websocket",
      });
    case "rate_limited": {
      const message = "too many requests: wait as long as Retry-After says";
      return c.json<ErrorBody>(
        { error: fault.code, message },
        429,
        retryAfter(fault.facts.retryAfterSeconds),
      );
    }
    case "unavailable": {
      // Overload and resets pass within seconds; clients add their own backoff.
      const { problem = "not possible just now, try again", retryAfterSeconds = 1 } = fault.facts;
      return c.json<ErrorBody>({ error: fault.code, message: problem }, 503, retryAfter(retryAfterSeconds));
    }
    case "internal":
      return c.json<ErrorBody>({ error: fault.code, message: "something went wrong on our side" }, 500);
  }
}

function missing(what: ErrorFacts["not_found"]["what"]): string {
  if (what === "route") return "there is no such route";
  return what === "logs" ? "this deployment keeps no logs" : `no such ${what}`;
}

/** Only here is there anything that a page would not be shown. */
const retryAfter = (seconds: number) => ({
  "Retry-After": String(seconds),
  "Access-Control-Expose-Headers": "Retry-After",
});

const refusals: Record<RefusalReason, string> = {
  superseded: "another attempt holds the job, or this attempt's lease has ended",
  not_holder: "this machine does not hold the job",
  completed: "the job has completed",
  failed: "the job has failed",
  canceled: "the job has been canceled",
  not_ended: "the job has not ended",
  removed: "it was submitted with this Idempotency-Key, and a job of it has been removed since",
  wrong_size: "the object was not of the size that was told, and is not kept",
  wrong_base: "the head is another generation than the base, or the generation's number is taken",
  unknown_job: "no such job in this container group",
};
