/** What every answer says to browsers, and `GET /ready`. */
import { createExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { afterEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import { adminKey, send, signUp } from "./client.ts";

const origin = { Origin: "https://dashboard.test" };

test("every answer, good or bad, is data that no browser runs, frames, guesses at or keeps", async () => {
  const { key } = await signUp("headers");
  expect(
    (
      await send("PUT", "/files/page.html", {
        key,
        body: "<script>",
        headers: { "Content-Type": "text/html" },
      })
    ).status,
  ).toBe(200);
  for (const [method, path, expected] of [
    ["GET", "/health", 200],
    ["GET", "/jobs", 200],
    ["GET", "/jobs?page=0", 400],
    ["GET", "/nowhere", 404],
    ["DELETE", "/users", 403],
    ["GET", "/files/page.html", 200],
  ] as const) {
    const response = await exports.default.fetch(
      new Request(`https://api.test${path}`, { method, headers: { "X-Kelpie-Key": key, ...origin } }),
    );
    await response.text();
    expect([path, response.status]).toEqual([path, expected]);
    const headers = Object.fromEntries(response.headers);
    expect(headers, path).toMatchObject({
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "content-security-policy": expect.stringMatching(/default-src 'none'.*frame-ancestors 'none'/),
      "cache-control": expect.stringMatching(/^(no-store|private, no-cache)$/),
      "access-control-allow-origin": "*",
    });
  }
  const anonymous = await send("GET", "/jobs");
  expect([anonymous.status, anonymous.headers.get("cache-control")]).toEqual([401, "no-store"]);
});

test("a preflight allows every method of the API and the headers of every credential", async () => {
  const asked =
    "x-kelpie-key,salad-api-key,salad-organization,salad-project,authorization,content-type,idempotency-key";
  for (const method of ["GET", "POST", "PUT", "PATCH", "DELETE"]) {
    const { status, headers } = await send("OPTIONS", "/jobs", {
      headers: {
        ...origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": asked,
      },
    });
    expect([status, headers.get("access-control-allow-origin")]).toEqual([204, "*"]);
    expect(headers.get("access-control-allow-methods")).toContain(method);
    expect(headers.get("access-control-allow-headers")).toBe(asked);
  }
});

test("a page of another origin may read the ETag of what it stored", async () => {
  const { headers } = await send("PUT", "/files/exposed", { key: adminKey, body: "x", headers: origin });
  expect(headers.get("access-control-expose-headers")).toContain("ETag");
});

describe("GET /ready", () => {
  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
  const ask = async (app: ReturnType<typeof createApp>, DB: unknown, ctx = createExecutionContext()) => {
    const bindings = { ...env, DB: DB as D1Database };
    const response = await app.fetch(new Request("https://api.test/ready"), bindings, ctx);
    return { status: response.status, headers: response.headers, body: await response.json() };
  };

  test("answers 200 with the database as this version needs it, without a credential", async () => {
    const { status, body } = await send<unknown>("GET", "/ready");
    expect([status, body]).toEqual([200, { status: "ready" }]);
  });

  test("says 503 while the newest migration is missing", async () => {
    const [newest] = env.TEST_MIGRATIONS.slice(-1);
    await env.DB.prepare("DELETE FROM d1_migrations WHERE name = ?1").bind(newest?.name).run();
    const { status, headers, body } = await ask(createApp(), env.DB);
    expect([status, headers.get("retry-after")]).toEqual([503, "5"]);
    expect(body).toEqual({ error: "unavailable", message: expect.stringContaining("migrations") });
    await env.DB.prepare("INSERT INTO d1_migrations (name) VALUES (?1)").bind(newest?.name).run();
    expect((await ask(createApp(), env.DB)).status).toBe(200);
  });

  test("looks on when who asked first has gone: others wait for the same look", async () => {
    const ctx = createExecutionContext();
    const kept = vi.spyOn(ctx, "waitUntil");
    const app = createApp();
    expect((await ask(app, env.DB, ctx)).status).toBe(200);
    expect(await Promise.all(kept.mock.calls.map(([promise]) => promise))).toEqual(["ready"]);
    expect((await ask(app, env.DB, ctx)).status).toBe(200);
    expect(kept).toHaveBeenCalledTimes(1);
  });

  test("and where there are no tables at all", async () => {
    const fail = () => Promise.reject(new Error("D1_ERROR: no such table: d1_migrations: SQLITE_ERROR"));
    const { status, body } = await ask(createApp(), { prepare: () => ({ bind: () => ({ first: fail }) }) });
    expect([status, body]).toEqual([
      503,
      { error: "unavailable", message: expect.stringContaining("migrations") },
    ]);
  });

  test("says 503 without a database, tells nobody but the log why, and does not wear it out", async () => {
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const first = vi.fn(() => Promise.reject(new Error("Network connection lost to 10.1.2.3")));
    const DB = { prepare: () => ({ bind: () => ({ first }) }) };
    const app = createApp();
    for (let times = 0; times < 20; times++) {
      const { status, body } = await ask(app, DB);
      expect([status, body]).toEqual([
        503,
        { error: "unavailable", message: "the database cannot be reached" },
      ]);
    }
    expect(first).toHaveBeenCalledTimes(1);
    const told = warnings.mock.calls.filter(([line]) => String(line).includes("database_unreachable"));
    expect(told).toHaveLength(1);
    vi.useFakeTimers({ now: Date.now() + 5001, toFake: ["Date"] });
    expect((await ask(app, env.DB)).status).toBe(200);
  });
});
