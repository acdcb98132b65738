/** What sending webhooks needs from the world: the Worker gives it D1 and `fetch`, tests a clock of their own. */
import type { D1Port } from "../db/d1-port.ts";
import type { Answer } from "../domain/webhook.ts";

export interface WebhookEvent {
  severity: "info" | "warning" | "error";
  event: /** D1 failed a try's lease or outcome. What is due stays due; what was sent may be sent again. */
    | "deliveries_unknown"
    /** What a pass of the cron did. */
    | "deliveries_made";
  detail?: string;
}

/** One POST, ready to be sent. */
export interface WebhookRequest {
  url: string;
  headers: Record<string, string>;
  body: string;
}

export interface WebhookPorts {
  d1: D1Port;
  /** Never rejects. */
  post(request: WebhookRequest): Promise<Answer>;
  nowMs(): number;
  /** 0 ≤ x < 1. */
  random(): number;
  /** A new operation id. */
  operationId(): string;
  /** Null: this deployment signs nothing. */
  signingKey: string | null;
  /** Whether addresses inside of a network are allowed. */
  privateAllowed: boolean;
  log(event: WebhookEvent): void;
}
