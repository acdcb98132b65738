import type { WebhookEvent } from "../../contract/index.ts";

/** What of a delivery's row tells of the event, for whoever sends it and whoever looks at it. */
export interface EventRecord {
  seq: number;
  id: string;
  job_id: string;
  number: number;
  event: WebhookEvent;
  url: string;
  attempt: number;
  machine_id: string | null;
  container_group_id: string;
  created: number;
  /** So far; of a row that is being sent, with the try that begins. */
  tries: number;
}
