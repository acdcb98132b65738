/**
 * What can go wrong with a transfer, as facts. Whether it is tried again is decided in retry.ts; what a person is
 * told, in `transferError`.
 */
import { TransferError } from "./ports.ts";

/** The storage answered, and the answer is no. */
export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly status: number;
  /** S3's code, such as `NoSuchBucket`, or the API's; empty when the answer had no readable body (HEAD, proxies). */
  readonly code: string;
  /** Of the request; undefined when the error stood in the body of a success. */
  readonly method: string | undefined;

  constructor(status: number, code: string, detail: string, method?: string) {
    super([`storage answered ${status}`, code, detail].filter(Boolean).join(" "));
    this.status = status;
    this.code = code;
    this.method = method;
  }
}

/** The storage's answer makes no sense: no such protocol, or a body cut short. */
export class BadAnswer extends Error {
  override readonly name = "BadAnswer";
}

/** The API itself refused a call about managed storage, for what was asked and not for the lease. */
export class CallRefused extends StorageError {
  constructor(status: number, message: string) {
    super(status, "", `(the API) ${message}`, "POST");
  }
}

/** A URL that was granted is not taken (any more): it has expired, or the clocks of API and storage disagree. */
export class GrantRefused extends Error {
  override readonly name = "GrantRefused";
  constructor(cause: StorageError) {
    super(`a granted URL was refused: ${cause.message}`, { cause });
  }
}

/** A request moved no byte for too long. */
export class Stalled extends Error {
  override readonly name = "Stalled";
  constructor(timeoutMs: number) {
    super(`no byte moved for ${timeoutMs / 1000} s`);
  }
}

/** Trouble with this node's disk or a file on it. */
export class LocalFailure extends Error {
  override readonly name = "LocalFailure";
  readonly path: string;
  /** The system's code, such as `ENOSPC`. */
  readonly code: string | undefined;

  constructor(path: string, cause: unknown) {
    super(`${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.path = path;
    this.code = systemCode(cause);
  }

  /** The file is not there (any more). */
  get missing(): boolean {
    return this.code === "ENOENT" || this.code === "ENOTDIR";
  }
}

/** The file changed while it was read: what was read is no state that the file ever had. */
export class FileDisturbed extends Error {
  override readonly name = "FileDisturbed";
  constructor(path: string) {
    super(`${path} kept changing while it was read`);
  }
}

/** What the user asked for cannot be done, whatever the weather. */
export class Refused extends Error {
  override readonly name = "Refused";
}

/** Everything ends: the attempt was superseded or is over. `reason` is what the caller gets to see. */
export class Ended extends Error {
  override readonly name = "Ended";
  readonly reason: unknown;
  constructor(reason: unknown) {
    super("transfers ended");
    this.reason = reason;
  }
}

/** Whoever ended it gets his own reason back: the gate's rejection, or the signal's. */
export async function withReason<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (failure) {
    throw failure instanceof Ended ? failure.reason : failure;
  }
}

/** Awaits an operation on a local path; its failure names the path. */
export async function onDisk<T>(path: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (cause) {
    if (cause instanceof FileDisturbed || cause instanceof LocalFailure) throw cause;
    throw new LocalFailure(path, cause);
  }
}

/**
 * Awaits a look at a local path, by somebody who looks at many: what is gone by now was never there, and what cannot be looked at
 * is kept for the end. Undefined either way.
 */
export async function present<T>(
  path: string,
  operation: Promise<T>,
  found: { unreadable: LocalFailure[] },
): Promise<T | undefined> {
  try {
    return await onDisk(path, operation);
  } catch (failure) {
    if (!(failure instanceof LocalFailure)) throw failure;
    if (!failure.missing) found.unreadable.push(failure);
    return undefined;
  }
}

/** The failure in words: what was tried, with which file and key, and why it did not work. */
export function transferError(fault: TransferError["fault"], doing: string, cause: unknown): TransferError {
  if (cause instanceof TransferError) return cause;
  return new TransferError(fault, `${doing}: ${reasonOf(cause)}`, { cause });
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const code = systemCode(cause);
  const said = code && !cause.message.includes(code) ? `${code} ${cause.message}` : cause.message;
  return said || cause.name;
}

/** The `code` that Node and undici put on their errors. */
export function systemCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  return typeof error.code === "string" ? error.code : undefined;
}
