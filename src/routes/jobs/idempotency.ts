/** `Idempotency-Key`: which submission a request repeats, if any, and what that one has made (docs/operations.md). */
import type { Context } from "hono";
import { IdempotencyKey, type Job } from "../../contract/index.ts";
import { jobFromRecord, type SqlRecord } from "../../db/job-record.ts";
import { type KeyRecord, readJobsInOrder, readKey } from "../../db/jobs/idempotency.ts";
import { prepare } from "../../db/prepare.ts";
import { hexOf } from "../../domain/hex.ts";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import { sha256 } from "../../middleware/sha256.ts";
import { headerOf } from "../header.ts";
import { presentJob } from "./present.ts";

/** A key and what it was sent with: hashes, since neither key nor body is to be kept. */
export interface Keyed {
  keyHash: string;
  requestHash: string;
}

/** Null: the request has no key. 400 for one that is none. */
export async function keyedOf(c: Context<AppEnv>): Promise<Keyed | null> {
  const key = headerOf(c, "Idempotency-Key", IdempotencyKey);
  if (key === undefined) return null;
  // The body as it came: what its absent fields mean may change with a deploy, a retry's bytes do not.
  const request = `${c.req.method} ${c.req.path}\n${c.var.bodyText}`;
  return { keyHash: hexOf(await sha256(key)), requestHash: hexOf(await sha256(request)) };
}

/**
 * The jobs of the submission that has taken this key, as they are now, in its order. 422 when it was another request; 409 when one of them
 * has been removed: a second time it is not submitted, and there is nothing to answer.
 */
export async function firstResult(c: Context<AppEnv>, { keyHash, requestHash }: Keyed): Promise<Job[]> {
  const { userId } = c.var.principal;
  const taken = await prepare(c.env.DB, readKey(userId, keyHash)).first<KeyRecord & SqlRecord>();
  // Forgotten within this very moment: the next try submits.
  if (!taken) throw new ApiError("unavailable", {});
  if (taken.request_hash !== requestHash) throw new ApiError("idempotency_mismatch", {});
  const jobIds = JSON.parse(taken.job_ids) as string[];
  const { results } = await prepare(c.env.DB, readJobsInOrder(userId, jobIds)).all<SqlRecord>();
  if (results.length !== jobIds.length) throw new ApiError("conflict", { reason: "removed" });
  return results.map((record) => presentJob(jobFromRecord(record)));
}
