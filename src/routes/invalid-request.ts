import type { ZodError } from "zod";
import { ApiError } from "../middleware/api-error.ts";

/** The first issue of a failed validation as a 400 that names the field; in a batch also the job. */
export function invalidRequest(error: ZodError): ApiError {
  const issue = error.issues[0];
  if (!issue) return new ApiError("invalid_request", { problem: "is malformed" });
  const [first, ...rest] = issue.path;
  // Only a batch is an array at the top.
  const index = typeof first === "number" ? first : undefined;
  const field = fieldOf(index === undefined ? issue.path : rest);
  // A record tells only "invalid key"; what is wrong with the key is one level down.
  const problem = issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return new ApiError("invalid_request", {
    problem,
    ...(field === "" ? {} : { field }),
    ...(index === undefined ? {} : { index }),
  });
}

/** `["sync", "before", 0, "bucket"]` → `sync.before[0].bucket`; a key that is no name → `environment["A B"]`. */
function fieldOf(path: PropertyKey[]): string {
  return path.reduce<string>((field, part) => {
    if (typeof part === "number") return `${field}[${part}]`;
    const name = String(part);
    if (!/^\w+$/.test(name)) return `${field}[${JSON.stringify(name)}]`;
    return field === "" ? name : `${field}.${name}`;
  }, "");
}
