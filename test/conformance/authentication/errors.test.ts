import { randomUUID } from "node:crypto";
import { it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { settings } from "../support/settings.ts";

const { key } = settings.alice;

promise("1", "Errors are JSON {error, message} everywhere, with a fitting status", () => {
  it("400: no JSON, or another than was asked for", async () => {
    for (const raw of ["", "{", "null", "[]", "\u0000", '"text"', "1"]) {
      expectError(await call("POST", "/jobs", { key, raw }), 400);
    }
  });
  it("401, 403: no credential, a wrong one", async () => {
    expectError(await call("GET", "/jobs"), 401);
    expectError(await call("GET", "/jobs", { key: "wrong" }), 403);
  });
  it("404: no such job, no such route", async () => {
    expectError(await call("GET", `/jobs/${randomUUID()}`, { key }), 404);
    expectError(await call("GET", "/no-such-route", { key, undocumented: true }), 404);
    expectError(await call("PATCH", "/jobs", { key, undocumented: true }), 404);
  });
  it("409: an ended job", async () => {
    const queue = openQueue();
    const { id } = await queue.submit();
    await queue.cancel(id);
    expectError(await queue.cancel(id), 409);
  });
  it("413: larger than allowed", async () => {
    expectError(await call("POST", "/jobs", { key, raw: " ".repeat(32 * 1024 * 1024) }), 413);
  });
});
