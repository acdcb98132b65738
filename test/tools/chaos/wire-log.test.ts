import { expect, it } from "vitest";
import { storageRequestOf } from "../../../tools/chaos/logs/storage-log.ts";
import { wireEventsOf } from "../../../tools/chaos/logs/wire-log.ts";
import type { Exchange } from "../../../tools/chaos/network/http-proxy.ts";

const job = "2c8ad2b0-65c5-4ec5-a2b4-1fd0a9f0a001";
const times = { headMs: 1, bodyMs: 2, answeredMs: 3 };
const holder = { machine_id: "node-1", container_group_id: "g", attempt: 2, lease_token: "secret" };

const exchange = (
  method: string,
  path: string,
  request: unknown,
  status: number,
  answer: unknown,
): Exchange => ({
  ...times,
  ...{ method, path, status },
  requestBody: request === undefined ? "" : JSON.stringify(request),
  responseBody: JSON.stringify(answer),
});

const common = { node: "node-1", ...times };

it("a claim, with what it got", () => {
  const path = "/work?machine_id=node-1&claim_id=c";
  const granted = exchange("GET", path, undefined, 200, [{ id: job, attempt: 2, lease_token: "secret" }]);
  expect(wireEventsOf("node-1", granted)).toEqual([
    { ...common, status: 200, kind: "claim", claimId: "c", granted: { job, attempt: 2 } },
  ]);
  expect(wireEventsOf("node-1", exchange("GET", path, undefined, 200, []))[0]).toMatchObject({
    granted: undefined,
  });
  const unavailable = exchange("GET", path, undefined, 503, { error: "unavailable", message: "" });
  expect(wireEventsOf("node-1", unavailable)[0]).toMatchObject({ status: 503, granted: undefined });
});

it("a renewal, lease by lease", () => {
  const lease = { job_id: job, lease_token: "secret" };
  const request = {
    machine_id: "node-1",
    container_group_id: "g",
    leases: [
      { ...lease, attempt: 1 },
      { ...lease, attempt: 2 },
    ],
  };
  const answer = {
    leases: [
      { job_id: job, attempt: 1, status: "canceled", reason: "superseded" },
      { job_id: job, attempt: 2, status: "running", lease_seconds: 20 },
    ],
  };
  const told = { ...common, status: 200, kind: "renewal", job };
  expect(wireEventsOf("node-1", exchange("POST", "/leases/renew", request, 200, answer))).toEqual([
    { ...told, attempt: 1, told: "canceled", reason: "superseded" },
    { ...told, attempt: 2, told: "running", reason: undefined },
  ]);
});

it("a report and its refusal; no token enters the log", () => {
  const refusal = { error: "conflict", message: "no", reason: "superseded" };
  const events = wireEventsOf("node-1", exchange("POST", `/jobs/${job}/completed`, holder, 409, refusal));
  expect(events).toEqual([
    { ...common, status: 409, kind: "report", job, attempt: 2, end: "completed", reason: "superseded" },
  ]);
  expect(JSON.stringify(events)).not.toContain("secret");
});

it("half an answer is no answer", () => {
  const cut = exchange("POST", `/jobs/${job}/completed`, holder, 200, {});
  delete cut.answeredMs;
  expect(wireEventsOf("node-1", cut)[0]).toMatchObject({ status: undefined, bodyMs: 2 });
});

it("what is none of these says nothing", () => {
  expect(wireEventsOf("node-1", exchange("GET", "/health", undefined, 200, {}))).toEqual([]);
  expect(wireEventsOf("node-1", exchange("POST", "/leases/renew", "half", 400, {}))).toEqual([]);
});

it("a request to the storage, by its key", () => {
  const path = "/cdn-cgi/local/r2/s3/kelpie-checkpoints/checkpoints/sum%201/step-000001.json?partNumber=1";
  expect(storageRequestOf("node-1", exchange("PUT", path, undefined, 200, ""))).toEqual({
    ...common,
    status: 200,
    method: "PUT",
    key: "checkpoints/sum 1/step-000001.json",
  });
  const list = exchange("GET", "/cdn-cgi/local/r2/s3/kelpie-checkpoints?list-type=2", undefined, 200, "");
  expect(storageRequestOf("node-1", list).key).toBe("");
});
