/** The wire as the contract words it, written down anew: the suite takes nothing from what it judges. */

export type Status = "pending" | "running" | "completed" | "canceled" | "failed";

export interface Rule {
  bucket: string;
  prefix: string;
  local_path: string;
  direction: string;
  pattern?: string;
}

export interface Job {
  id: string;
  user_id: string;
  status: Status;
  command: string;
  arguments: string[];
  environment: Record<string, string>;
  container_group_id: string;
  max_failures: number;
  heartbeat_interval: number;
  webhook: string | null;
  compression: boolean;
  sync?: { before?: Rule[]; during?: Rule[]; after?: Rule[] };
  created: string;
  started: string | null;
  completed: string | null;
  canceled: string | null;
  failed: string | null;
  heartbeat: string | null;
  num_failures: number;
  num_heartbeats: number;
  machine_id: string | null;
}

export interface ScalingRule {
  container_group_id: string;
  min_replicas: number;
  max_replicas: number;
  idle_threshold_seconds: number;
  org_name: string;
  project_name: string;
  container_group_name: string;
  user_id: string;
  created: string;
  updated: string;
}

export interface User {
  id: string;
  username: string;
  created: string;
}

/** ISO 8601, UTC, with milliseconds. */
export const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
export const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
