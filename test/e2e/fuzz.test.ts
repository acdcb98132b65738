/** A short fuzz over the wire, and the documentation page as a browser gets it. The long one is `npm run fuzz`. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { runFuzz } from "../../tools/fuzz/run.ts";
import { type FuzzStage, startFuzzStage } from "../../tools/fuzz/stage.ts";

let api: FuzzStage;
beforeAll(async () => {
  api = await startFuzzStage();
});
afterAll(() => api?.stop());

test("2,000 good and spoiled requests: no 5xx, no silence, nothing left by a refused one", async () => {
  const report = await runFuzz({
    url: api.url,
    adminKey: api.adminKey,
    requests: 2000,
    seed: 7,
    destructive: true,
    groups: api.groups,
  });
  expect(report.violations).toEqual([]);
  expect(report.refused).toBeGreaterThan(100);
  expect(report.routes.length).toBeGreaterThan(30);
  expect(report.routes.filter(({ accepted }) => accepted > 0).length).toBeGreaterThan(
    report.routes.length * 0.8,
  );
  // Nodes too, and not only to be refused.
  for (const { role, sent, accepted } of report.callers)
    expect([role, accepted > sent * 0.2 && sent > 50]).toEqual([role, true]);
  // Called by signed URLs alone.
  const signed = report.routes.filter(({ route }) => route.endsWith("/storage/object"));
  expect(signed.map(({ route, accepted }) => [route, accepted > 0])).toEqual([
    [expect.stringMatching(/^(GET|PUT) /), true],
    [expect.stringMatching(/^(GET|PUT) /), true],
  ]);
});

test("the documentation is there without the internet: page, script and style, under a policy without inline scripts", async () => {
  const page = await fetch(`${api.url}/docs`);
  expect([page.status, page.headers.get("content-type")]).toEqual([
    200,
    expect.stringContaining("text/html"),
  ]);
  const policy = page.headers.get("content-security-policy");
  expect(policy).toMatch(/script-src 'self';.*connect-src 'self';.*frame-ancestors 'none'/);
  const html = await page.text();
  expect(html).not.toMatch(/https?:\/\//);
  const parts = [...html.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((match) => match[1] ?? "");
  expect(parts).toEqual(
    expect.arrayContaining(["/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/docs/start.js"]),
  );
  for (const part of parts) {
    const answer = await fetch(`${api.url}${part}`);
    expect([part, answer.status]).toEqual([part, 200]);
    expect((await answer.text()).length).toBeGreaterThan(200);
  }
  // All else goes to the API, also what looks like a page.
  expect((await fetch(`${api.url}/document`)).status).toBe(401);
});
