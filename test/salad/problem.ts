import { STATUS_CODES } from "node:http";

/** An error as the public API's specification has it (`ProblemDetails`). */
export function problem(status: number, detail?: string): Response {
  const title = STATUS_CODES[status] ?? "Error";
  return Response.json({ title, status, ...(detail ? { detail } : {}) }, { status });
}

/** One of IMDS (`SaladCloudImdsError`), with a media type of its own. */
export function imdsProblem(status: number, code: string, detail: string): Response {
  const title = STATUS_CODES[status] ?? "Error";
  return Response.json(
    { code, type: `https://salad.example/errors/${code}`, title, status, detail },
    { status, headers: { "Content-Type": "application/problem+json" } },
  );
}
