import { createRoute } from "@hono/zod-openapi";
import { Grants, GrantsRequest, limits } from "../../contract/index.ts";
import { readJson } from "../../middleware/read-json.ts";
import { granterFor, storesOf } from "../../middleware/storage.ts";
import { underLease } from "../../middleware/under-lease.ts";
import type { BucketKey } from "../../storage/keys.ts";
import { locate } from "../../storage/locate.ts";
import { answer, JobParams, jsonBody, operation, refusals } from "../operation.ts";
import { accessOf } from "./access.ts";
import { checkSize } from "./check-size.ts";

/** A write that was granted with the lease's last breath may still begin: nobody else holds the job before it has lapsed. */
const graceSeconds = 5;

const route = createRoute({
  method: "post",
  path: "/jobs/{id}/storage/grants",
  tags: ["Agents"],
  access: "agents" as const,
  summary: "URLs to read and write objects of managed storage, under the job's lease",
  description: "Renews the lease. In the order of the request; each expires with the lease, plus 5 s.",
  middleware: [readJson(limits.bodyBytes)],
  request: { params: JobParams, ...jsonBody(GrantsRequest) },
  responses: { 200: answer(Grants, "The permissions"), ...refusals(400, 403, 404, 409, 413, 503) },
});

export const grantAccess = operation(route, async (c) => {
  const { requests, ...proof } = c.req.valid("json");
  const lease = await underLease(c, c.req.valid("param").id, proof);
  const read = [...new Set(requests.flatMap((request) => (request.kind === "get" ? [request.key] : [])))];
  const located = new Map<string, BucketKey>();
  if (read.length > 0) {
    const places = await locate(storesOf(c), lease.userId, read);
    for (const [index, key] of read.entries()) located.set(key, places[index] as BucketKey);
  }
  const granter = granterFor(c);
  const seconds = lease.leaseSeconds + graceSeconds;
  const grants = requests.map((request, index) => {
    const access = accessOf(request, lease, `requests[${index}]`, located);
    checkSize(granter, access, `requests[${index}].size`);
    return granter.grant(access, seconds);
  });
  return c.json({ grants: await Promise.all(grants) }, 200);
});
