import { env, exports } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import { isTransient } from "../../../src/db/transient.ts";
import { adminKey, send } from "./client.ts";

afterEach(() => {
  vi.mocked(console.error).mockRestore?.();
  vi.mocked(console.warn).mockRestore?.();
});

/** The app with a D1 that fails in the given way. */
async function sendWithD1Failing(error: Error): Promise<Response> {
  const fail = () => {
    throw error;
  };
  const DB = { prepare: () => ({ bind: () => ({ first: fail, run: fail, all: fail }) }), batch: fail };
  const request = new Request("https://api.test/jobs?secret=1", { headers: { "X-Kelpie-Key": "kelpie_x" } });
  return await createApp().fetch(request, { ...env, DB: DB as unknown as D1Database });
}

describe("errors", () => {
  test("are JSON, never text/plain (fault 16)", async () => {
    for (const [method, path, status] of [
      ["GET", "/nowhere", 404],
      ["PATCH", "/jobs", 404],
      ["GET", "/jobs/not-a-uuid", 404],
      ["POST", "/jobs", 400],
    ] as const) {
      const answer = await send(method, path, { key: adminKey });
      expect(answer.status).toBe(status);
      expect(answer.headers.get("content-type")).toContain("application/json");
      expect(Object.keys(answer.body)).toEqual(expect.arrayContaining(["error", "message"]));
    }
  });

  test("an unexpected one is a bare 500, told in full in one line of the log without query or credential", async () => {
    const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const response = await sendWithD1Failing(new Error("D1_ERROR: no such table: tokens"));
    expect(response.status).toBe(500);
    expect(await response.json()).toEqual({ error: "internal", message: expect.any(String) });
    expect(errors).toHaveBeenCalledTimes(1);
    const line = String(errors.mock.calls[0]?.[0]);
    expect(JSON.parse(line)).toMatchObject({
      severity: "error",
      event: "request",
      method: "GET",
      path: "/jobs",
      status: 500,
      error: { message: "D1_ERROR: no such table: tokens", stack: expect.any(String) },
    });
    expect(line).not.toMatch(/secret|kelpie_x/);
  });

  test("an overloaded D1 is a 503 with Retry-After, not a 500 and not a 403", async () => {
    vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const response = await sendWithD1Failing(
      new Error("D1_ERROR: D1 DB is overloaded. Too many requests queued."),
    );
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({ error: "unavailable" });
  });

  test("a refused request is one line at most, a good one none", async () => {
    const lines = vi.spyOn(console, "info").mockImplementation(() => undefined);
    lines.mockClear();
    await send("GET", "/jobs", { key: adminKey });
    expect(lines).not.toHaveBeenCalled();
    await send("GET", "/jobs?page=0", { key: adminKey });
    expect(lines).toHaveBeenCalledTimes(1);
    expect(JSON.parse(String(lines.mock.calls[0]?.[0]))).toMatchObject({
      severity: "info",
      event: "request",
      method: "GET",
      path: "/jobs",
      status: 400,
      userId: expect.any(String),
    });
  });
});

describe("failures that pass by themselves", () => {
  test.each([
    new Error("Network connection lost."),
    new Error("D1_ERROR: D1 DB reset because its code was updated."),
    new Error("query failed", {
      cause: new Error("Internal error in D1 DB storage caused object to be reset."),
    }),
    Object.assign(new Error("x"), { retryable: true }),
    Object.assign(new Error("x"), { overloaded: true }),
  ])("%s", (error) => {
    expect(isTransient(error)).toBe(true);
  });

  test.each([
    new Error("D1_ERROR: UNIQUE constraint failed: jobs.id"),
    new TypeError("x is undefined"),
    "text",
    undefined,
  ])("not %s", (error) => {
    expect(isTransient(error)).toBe(false);
  });
});

describe("without a credential", () => {
  test("GET /health answers", async () => {
    const { status, body } = await send<unknown>("GET", "/health");
    expect([status, body]).toEqual([200, { status: "ok" }]);
  });

  test("GET /bare answers a constant, untouched by any middleware", async () => {
    const response = await exports.default.fetch("https://api.test/bare", {
      headers: { Origin: "https://x.test" },
    });
    expect(await response.text()).toBe("bare");
    expect(response.headers.has("access-control-allow-origin")).toBe(false);
  });

  test("a CORS preflight for PATCH passes (fault 16)", async () => {
    const { status, headers } = await send("OPTIONS", "/scaling-rules/x", {
      headers: {
        Origin: "https://dashboard.test",
        "Access-Control-Request-Method": "PATCH",
        "Access-Control-Request-Headers": "x-kelpie-key,content-type",
      },
    });
    expect(status).toBe(204);
    expect(headers.get("access-control-allow-origin")).toBe("*");
    expect(headers.get("access-control-allow-methods")).toContain("PATCH");
    expect(headers.get("access-control-allow-headers")).toContain("x-kelpie-key");
  });

  test("errors too can be read across origins", async () => {
    const { status, headers } = await send("GET", "/jobs", { headers: { Origin: "https://dashboard.test" } });
    expect(status).toBe(401);
    expect(headers.get("access-control-allow-origin")).toBe("*");
  });
});
