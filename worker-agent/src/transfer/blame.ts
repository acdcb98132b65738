/**
 * Whom a failure is blamed on, by the words in which systems report it: the one list of them all.
 *
 * - `config`: the job's own doing. Its files, names, links, rules and leftover processes, its storage's permissions.
 *   It would go wrong on every node and every time, so the attempt fails, which is bounded by the job's max_failures.
 * - `node`: this machine's trouble; the job would go well on another one.
 * - `storage`: the storage's or the network's trouble; the job would go well later.
 *
 * The latter two give the job back without counting, so whatever is not known to pass is `config`: a job that fails
 * too early is seen by a person, one that travels from node to node for ever is not.
 */
export type Blame = "config" | "node" | "storage";

/**
 * Errors of the file system that speak of the machine. Every other one is about a path: too long (ENAMETOOLONG), not
 * UTF-8 (EILSEQ, or no code at all), unreadable (EACCES, EPERM), leading nowhere (ENOENT, ENOTDIR, ELOOP), of another
 * kind (EISDIR, EEXIST, EINVAL).
 */
const nodeErrnos = new Set([
  ...["ENOSPC", "EDQUOT", "EIO", "EROFS", "ESTALE", "ENODEV"],
  ...["EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EBUSY", "ETXTBSY"],
]);

/** `errno`: the code of an operation on a local path; undefined where the system gave none. */
export function blameOfErrno(errno: string | undefined): Blame {
  return errno !== undefined && nodeErrnos.has(errno) ? "node" : "config";
}

/** S3 says these with status 400 or 409, though they are about the moment and not about the request. */
const passingCodes = new Set([
  "RequestTimeout",
  "SlowDown",
  "InternalError",
  "ServiceUnavailable",
  "Throttling",
  // Two writes of one key at once, one of them on condition.
  "ConditionalRequestConflict",
  "OperationAborted",
]);

/** Whether a storage's answer that is no is about the moment, so that the same request may go well in the next. */
export function isPassing(status: number, code: string): boolean {
  if (passingCodes.has(code) || status === 408 || status === 429) return true;
  // 501: the storage will not have learnt it by the next try.
  return status >= 500 && status !== 501;
}

/** `method`: what was asked; undefined where the answer came in the body of a success. */
export function blameOfAnswer(status: number, code: string, method: string | undefined): Blame {
  if (status >= 500 || isPassing(status, code)) return "storage";
  // The clock of a home computer; the credentials are fine.
  if (code === "RequestTimeTooSkewed") return "node";
  // The storage forgot an upload in parts that it had begun.
  if (code === "NoSuchUpload") return "storage";
  // The object was listed and then removed or replaced: another list will say so.
  if (method === "GET" && code !== "NoSuchBucket" && (status === 404 || status === 412)) return "storage";
  // Wrong requests (400, 411–417), permissions (401, 403), names and buckets that it does not take (404).
  return "config";
}
