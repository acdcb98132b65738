/**
 * Where a list of jobs goes on. Opaque to clients: the last job's place, and a hash of what was asked, so that a cursor of another list is
 * refused instead of answering jobs that belong to neither. It holds no secret and grants nothing: whose jobs are listed
 * is the credential's word each time.
 */
import { z } from "zod";
import type { JobFilter, Place } from "../../db/jobs/list.ts";
import { hexOf } from "../../domain/hex.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { sha256 } from "../../middleware/sha256.ts";

/** Of a hash that nobody gains anything from forging. */
const hashChars = 12;

const Parts = z.tuple([
  z.string().length(hashChars),
  z.int().min(0).max(8_640_000_000_000_000),
  z.int().min(0).max(Number.MAX_SAFE_INTEGER),
]);

/** What a cursor belongs to: everything of a request but the size of its pages. */
export async function hashOfList(filter: JobFilter, ascending: boolean): Promise<string> {
  const { userId, statuses, containerGroupId, machineId, createdFromMs, createdBeforeMs } = filter;
  const sorted = statuses && [...statuses].sort();
  const asked = [userId, sorted, containerGroupId, machineId, createdFromMs, createdBeforeMs, ascending];
  // `undefined` would become null, which is the admin's user id.
  const text = JSON.stringify(asked.map((value) => (value === undefined ? "" : [value])));
  return hexOf(await sha256(text)).slice(0, hashChars);
}

export function cursorOf(hash: string, { createdMs, seq }: Place): string {
  return btoa(JSON.stringify([hash, createdMs, seq]))
    .replaceAll("=", "")
    .replaceAll("+", "-")
    .replaceAll("/", "_");
}

/** 400 naming `cursor` for what is none, or belongs to another list. */
export function placeOf(cursor: string, hash: string): Place {
  const parts = Parts.safeParse(decoded(cursor));
  if (!parts.success) throw refused("is not one that a list has answered");
  const [hashThen, createdMs, seq] = parts.data;
  if (hashThen !== hash) throw refused("belongs to a list with other filters or another order");
  return { createdMs, seq };
}

function decoded(cursor: string): unknown {
  try {
    return JSON.parse(atob(cursor.replaceAll("-", "+").replaceAll("_", "/")));
  } catch {
    return undefined;
  }
}

const refused = (problem: string) => new ApiError("invalid_request", { problem, field: "cursor" });
