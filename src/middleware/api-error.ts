/** Why a request is refused: a code and its facts. The text and the status derive from them in errors.ts. */
import type { ErrorCode, RefusalReason } from "../contract/index.ts";

/** The facts of each code. */
export interface ErrorFacts {
  /** `field`: the path of the field at fault; `index`: the job at fault in a batch. */
  invalid_request: { problem: string; field?: string; index?: number };
  unauthorized: { problem: string };
  forbidden: { problem: string };
  not_found: {
    what:
      | "job"
      | "attempt"
      | "user"
      | "route"
      | "file"
      | "upload"
      | "group"
      | "token"
      | "scaling rule"
      /** The deployment has nowhere to keep them. */
      | "logs";
  };
  conflict: { reason: RefusalReason };
  /** The key was used for another request. */
  idempotency_mismatch: Record<never, never>;
  length_required: Record<never, never>;
  precondition_failed: Record<never, never>;
  payload_too_large: { what: "body" | "job"; limitBytes: number; index?: number };
  range_not_satisfiable: Record<never, never>;
  upgrade_required: Record<never, never>;
  rate_limited: { retryAfterSeconds: number };
  /** Default: in a second, without a reason. */
  unavailable: { problem?: string; retryAfterSeconds?: number };
  internal: Record<never, never>;
}

export type Fault = { [Code in ErrorCode]: { code: Code; facts: ErrorFacts[Code] } }[ErrorCode];

/**
 * The one error that routes throw.
 * @example throw new ApiError("not_found", { what: "job" });
 */
export class ApiError<Code extends ErrorCode = ErrorCode> extends Error {
  readonly fault: Fault;

  constructor(code: Code, facts: ErrorFacts[Code]) {
    super(code);
    this.name = "ApiError";
    // The parameters belong together, which the compiler does not carry over to the union.
    this.fault = { code, facts } as Fault;
  }
}
