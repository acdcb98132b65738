import { expect, it } from "vitest";
import { promise } from "../support/promise.ts";
import { settings } from "../support/settings.ts";

// Asked as a browser asks: a redirect on the way is no fault.
const open = (path: string) => fetch(`${settings.url}${path}`, { signal: AbortSignal.timeout(60_000) });

promise("2", "GET /docs and /openapi.json: 200, without a credential", () => {
  it("/openapi.json describes every route of the contract", async () => {
    const answer = await open("/openapi.json");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toMatch(/^application\/json/);
    const document = (await answer.json()) as { openapi: string; paths: Record<string, object> };
    expect(document.openapi).toMatch(/^3\.1/);
    const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method} ${path}`),
    );
    expect(operations).toEqual(
      expect.arrayContaining([
        ...["post /jobs", "post /jobs/batch", "get /jobs", "get /jobs/{id}", "delete /jobs/{id}"],
        ...["delete /jobs/container-groups/{container_group_id}", "get /work", "post /jobs/{id}/heartbeat"],
        ...[
          "post /jobs/{id}/completed",
          "post /jobs/{id}/failed",
          "post /scaling-rules",
          "get /scaling-rules",
        ],
        ...["get /users/me", "post /users", "post /users/{id}/token"],
        ...["delete /jobs", "delete /users", "delete /scaling-rules"],
      ]),
    );
    for (const method of ["get", "patch", "delete"]) {
      expect(
        operations.some((name) => new RegExp(`^${method} /scaling-rules/{\\w+}$`).test(name)),
        method,
      ).toBe(true);
    }
  });

  it("/docs is a page", async () => {
    const answer = await open("/docs");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toMatch(/^text\/html/);
    expect(await answer.text()).toMatch(/swagger/i);
  });

  it("/health needs no credential", async () => {
    expect((await open("/health")).status).toBe(200);
  });
});
