import { type ZodError, z } from "zod";
import { ApiError } from "../middleware/api-error.ts";

const expectations: Record<string, string> = {
  string: "must be a string",
  number: "must be a number",
  int: "must be a whole number",
  boolean: "must be true or false",
  array: "must be an array",
  object: "must be an object",
  record: "must be an object",
};

// Zod's own words speak of JavaScript ("received undefined", "received NaN"). What an issue was about is known only while
// zod words it, hence here and not below; a schema's own `error` goes before this.
z.config({
  customError(issue) {
    const isOfType = issue.code === "invalid_type";
    if (issue.input === undefined && (isOfType || issue.code === "invalid_value")) return "is missing";
    return isOfType ? expectations[issue.expected] : undefined;
  },
});

/**
 * The first issue of a failed validation, in the order of the schema's fields, as a 400 that names the field; in a
 * batch also the job.
 */
export function invalidRequest(error: ZodError): ApiError {
  const issue = error.issues[0];
  if (!issue) return new ApiError("invalid_request", { problem: "is malformed" });
  const [first, ...rest] = issue.path;
  // Only a batch is an array at the top.
  const index = typeof first === "number" ? first : undefined;
  const path = index === undefined ? issue.path : rest;
  if (issue.code === "unrecognized_keys") {
    return new ApiError("invalid_request", {
      problem: "is not known here",
      field: path.length === 0 ? issue.keys.join(", ") : fieldOf([...path, ...issue.keys.slice(0, 1)]),
    });
  }
  const field = fieldOf(path);
  // A record tells only "invalid key"; what is wrong with the key is one level down.
  const problem = issue.code === "invalid_key" ? (issue.issues[0]?.message ?? issue.message) : issue.message;
  return new ApiError("invalid_request", {
    problem,
    ...(field === "" ? {} : { field }),
    ...(index === undefined ? {} : { index }),
  });
}

/** `["sync", "before", 0, "bucket"]` → `sync.before[0].bucket`; a key that is no name → `environment["A B"]`. */
export function fieldOf(path: PropertyKey[]): string {
  return path.reduce<string>((field, part) => {
    if (typeof part === "number") return `${field}[${part}]`;
    const name = String(part);
    if (!/^\w+$/.test(name)) return `${field}[${JSON.stringify(name)}]`;
    return field === "" ? name : `${field}.${name}`;
  }, "");
}
