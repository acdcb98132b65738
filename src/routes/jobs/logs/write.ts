/**
 * A part of a log from the node that runs the attempt. The lease is shown as everywhere, but not in the body, which is bytes: its token
 * in a header, the rest in the query.
 */
import { createRoute, z } from "@hono/zod-openapi";
import { Id, LogPlace, LogStream, leaseTokenHeader, limits, Message } from "../../../contract/index.ts";
import { ApiError } from "../../../middleware/api-error.ts";
import { asHolder } from "../../../middleware/under-lease.ts";
import { logKey } from "../../../storage/keys.ts";
import { receive } from "../../../storage/receive.ts";
import { headerOf } from "../../header.ts";
import { answer, bytes, JobParams, operation, refusals } from "../../operation.ts";
import { contentLength } from "../../storage/content-length.ts";
import { receivedError } from "../../storage/object-error.ts";
import { logStoreOf } from "./store.ts";

const route = createRoute({
  method: "put",
  path: "/jobs/{id}/logs/{stream}",
  tags: ["Agents"],
  access: "agents" as const,
  summary: "Keep a part of what the command has written, under the job's lease",
  description: "At most 256 KiB, and 64 MiB of a stream. A repeat is a success without effects.",
  request: {
    params: JobParams.extend({ stream: LogStream.describe("What the command wrote to") }),
    query: LogPlace,
    headers: z.object({ [leaseTokenHeader]: Id.describe("Proof of the lease, from the claim") }),
    body: { required: true, content: bytes },
  },
  responses: {
    200: answer(Message, "It is kept"),
    ...refusals(400, 404, 409, 411, 413, 503),
  },
});

export const writeLog = operation(route, async (c) => {
  const bucket = logStoreOf(c);
  const { id, stream } = c.req.valid("param");
  const { offset, ...holder } = c.req.valid("query");
  const token = headerOf(c, leaseTokenHeader, Id);
  if (token === undefined) {
    throw new ApiError("invalid_request", { problem: "is missing", field: leaseTokenHeader });
  }
  const size = contentLength(c, limits.logChunkBytes);
  if (size === 0) throw new ApiError("invalid_request", { problem: "the body is empty" });
  if (offset + size > limits.logBytes) {
    const problem = `with the body it goes beyond ${limits.logBytes} bytes`;
    throw new ApiError("invalid_request", { problem, field: "offset" });
  }
  const lease = await asHolder(c, id, { ...holder, lease_token: token });
  const key = logKey(lease, stream, offset + size);
  const write = { method: "PUT" as const, key, size, contentType: "text/plain", onlyIfAbsent: true };
  const received = await receive(bucket, write, c.req.raw.body);
  // It is there: an earlier try's answer was lost.
  if (!received.ok && received.reason !== "precondition") throw receivedError(received.reason);
  return c.json({ message: "Kept" }, 200);
});
