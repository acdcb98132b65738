/**
 * The keys of the bucket (docs/storage.md, "Keys"): nothing else puts one together. Users and jobs come from a credential and
 * a lease, never from a request, so a key is always below the root of whoever asks.
 */
import { type LogStream, utf8Bytes, whatIsWrongWithKey } from "../contract/index.ts";

declare const made: unique symbol;
/** A key that was made here. */
export type BucketKey = string & { readonly [made]: true };

/** R2 and S3 end keys at so many bytes of UTF-8. */
const maxKeyBytes = 1024;

/** An attempt of a job, as a lease proves it. */
export interface AttemptPlace {
  userId: string;
  jobId: string;
  attempt: number;
}

/** What an organization sees: `files/USER/`. */
export const filesRoot = (userId: string) => `files/${segment(userId)}/` as const;
/** Outputs of all attempts of a job: `outputs/USER/JOB/`. */
export const outputsOfJob = (userId: string, jobId: string) =>
  `outputs/${segment(userId)}/${segment(jobId)}/` as const;
/** Snapshots of all attempts of a job: `snapshots/USER/JOB/`. */
export const snapshotsOfJob = (userId: string, jobId: string) =>
  `snapshots/${segment(userId)}/${segment(jobId)}/` as const;

/** Logs of all attempts of a job: `logs/USER/JOB/`. */
export const logsOfJob = (userId: string, jobId: string) =>
  `logs/${segment(userId)}/${segment(jobId)}/` as const;

/** Outputs of one attempt: `outputs/USER/JOB/ATTEMPT/`. */
export const outputsOfAttempt = (place: AttemptPlace) =>
  `${outputsOfJob(place.userId, place.jobId)}${count(place.attempt)}/` as const;
/** Everything that one attempt assembled: `snapshots/USER/JOB/ATTEMPT/`. */
export const snapshotsOfAttempt = (place: AttemptPlace) =>
  `${snapshotsOfJob(place.userId, place.jobId)}${count(place.attempt)}/` as const;
/** One generation: its chunks and its manifest are below. */
export const generationRoot = (place: AttemptPlace, generation: number) =>
  `${snapshotsOfAttempt(place)}${count(generation)}/` as const;

/** The object that an organization knows as `key`. */
export const fileKey = (userId: string, key: string) => bucketKey(filesRoot(userId) + pathOf(key));
/** An output, before and after it is published. */
export const outputKey = (place: AttemptPlace, key: string) =>
  bucketKey(outputsOfAttempt(place) + pathOf(key));
export const chunkKey = (place: AttemptPlace, generation: number, sha256: string) =>
  bucketKey(generationRoot(place, generation) + digest(sha256));
export const manifestKey = (place: AttemptPlace, generation: number, sha256: string) =>
  bucketKey(`${generationRoot(place, generation)}manifest-${digest(sha256)}`);

/** What one attempt wrote to one stream: `logs/USER/JOB/ATTEMPT/STREAM/`. */
export const logOf = (place: AttemptPlace, stream: LogStream) =>
  `${logsOfJob(place.userId, place.jobId)}${count(place.attempt)}/${stream}/` as const;
/**
 * A part of it, by where it *ends*: the list behind a position then begins with the part that holds it. All of one length, so that
 * lists are in order.
 */
export const logKey = (place: AttemptPlace, stream: LogStream, end: number) =>
  bucketKey(logOf(place, stream) + logEnd(end));
/** The last segment of such a key. */
export const logEnd = (end: number) => String(end).padStart(logEndDigits, "0");
const logEndDigits = 12;

// Whoever comes here with something else has skipped the contract: a broken invariant, not an answer.

function pathOf(key: string): string {
  const wrong = whatIsWrongWithKey(key);
  if (wrong !== undefined) throw new Error(`a storage key ${wrong}`);
  return key;
}

function segment(id: string): string {
  if (!/^[0-9a-f-]{36}$/i.test(id)) throw new Error("a storage key needs the id of a user or job");
  return id;
}

function count(number: number): string {
  if (!Number.isSafeInteger(number) || number < 1) throw new Error("a storage key counts from 1");
  return String(number);
}

function digest(sha256: string): string {
  if (!/^[0-9a-f]{64}$/.test(sha256)) throw new Error("a storage key needs a SHA-256");
  return sha256;
}

function bucketKey(key: string): BucketKey {
  if (utf8Bytes(key) > maxKeyBytes) throw new Error("a storage key is too long");
  return key as BucketKey;
}
