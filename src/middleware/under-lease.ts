/**
 * Every call of an agent about managed storage comes with its lease, and renews it: what is granted is granted to the holder
 * of this moment, and the term of what is granted is the lease's own. Costs no D1 statement while the lease has its row.
 */
import type { Context } from "hono";
import type { LeaseProof } from "../contract/index.ts";
import { configOf, hasManagedStorage } from "../env.ts";
import { ApiError } from "./api-error.ts";
import type { AppEnv } from "./app-env.ts";
import { groupOf, ownKey } from "./group.ts";

/** Whose attempt asks, as its lease has proved. */
export interface UnderLease {
  userId: string;
  jobId: string;
  attempt: number;
  /** From the sending of the request. */
  leaseSeconds: number;
}

/**
 * Renews the lease, or throws: 409 with the reason for anybody but its holder, 404 for a job that is not in the principal's
 * own group, 503 when its group cannot tell. The job's id comes from the URL and is checked by the group's object.
 */
export async function underLease(c: Context<AppEnv>, jobId: string, proof: LeaseProof): Promise<UnderLease> {
  requireManagedStorage(c);
  return asHolder(c, jobId, proof);
}

/** The same for what needs no managed storage. */
export async function asHolder(c: Context<AppEnv>, jobId: string, proof: LeaseProof): Promise<UnderLease> {
  const key = ownKey(c, proof.container_group_id);
  const lease = { jobId, attempt: proof.attempt, leaseToken: proof.lease_token };
  const [renewal] = await groupOf(c, key).renew(key, proof.machine_id, [lease]);
  switch (renewal?.status) {
    case "running":
      return { userId: key.userId, jobId, attempt: proof.attempt, leaseSeconds: renewal.leaseSeconds };
    case "canceled":
      throw new ApiError("conflict", { reason: renewal.reason });
    case "pending":
      // Claimed by nobody, so not by this attempt either.
      throw new ApiError("conflict", { reason: "superseded" });
    case "unknown":
      throw new ApiError("not_found", { what: "job" });
    case "unavailable":
    case undefined:
      throw new ApiError("unavailable", {});
  }
}

/** 403 on a deployment without managed storage. */
export function requireManagedStorage(c: Context<AppEnv>): void {
  if (hasManagedStorage(configOf(c.env))) return;
  throw new ApiError("forbidden", { problem: "this deployment has no managed storage" });
}
