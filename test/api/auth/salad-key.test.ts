/** A person's Salad API key: Salad is asked once in a while, and what it does not say is never taken for a no. */
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { JobList, User } from "../../../src/contract/index.ts";
import { adminKey, send, signUp, submit } from "../http/client.ts";
import { down, FakeSalad, newOrganization, saladHeaders } from "./salad.ts";

let salad: FakeSalad;
let organization: string;
beforeEach(() => {
  salad = new FakeSalad();
  organization = newOrganization();
  salad.reach.set(`good ${organization}/default`, []);
});
afterEach(() => {
  vi.useRealTimers();
  salad.stop();
});

const me = (key = "good", of = organization, project?: string) =>
  send<User & { error?: string; message?: string }>("GET", "/users/me", {
    headers: saladHeaders(key, of, project),
  });
const later = (ms: number) => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
const minutes = 60_000;

describe("the user of an organization", () => {
  test("is made by its first request, and named like it", async () => {
    const first = await me();
    expect([first.status, first.body.username]).toEqual([200, organization]);
    expect((await me()).body.id).toBe(first.body.id);
  });

  test("is one, however many first requests come at once and whichever project they name", async () => {
    salad.reach.set(`good ${organization}/other`, []);
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, i) => me("good", organization, i % 2 ? "other" : "default")),
    );
    expect(new Set(answers.map(({ body }) => body.id)).size).toBe(1);
    const { results } = await env.DB.prepare("SELECT id FROM users WHERE username = ?")
      .bind(organization)
      .all();
    expect(results).toHaveLength(1);
  });

  test("is the one that the admin had made, with its jobs", async () => {
    const { id, key } = await signUp(organization);
    const job = await submit(key);
    expect((await me()).body.id).toBe(id);
    const { body } = await send<JobList>("GET", "/jobs", { headers: saladHeaders("good", organization) });
    expect(body.jobs.map((listed) => listed.id)).toEqual([job.id]);
  });

  test("is not made by a key that is wrong", async () => {
    expect((await me("bad")).status).toBe(403);
    const { results } = await env.DB.prepare("SELECT id FROM users WHERE username = ?")
      .bind(organization)
      .all();
    expect(results).toEqual([]);
  });

  test("of an organization called admin is not the admin", async () => {
    salad.reach.set("good admin/default", []);
    const { status, body } = await me("good", "admin");
    const admin = await send<User>("GET", "/users/me", { key: adminKey });
    expect([status, body.username]).toEqual([200, "organization admin"]);
    expect(body.id).not.toBe(admin.body.id);
    expect((await send("DELETE", "/users", { headers: saladHeaders("good", "admin") })).status).toBe(403);
    expect((await me("good", "admin")).body.id).toBe(body.id);
  });

  test("is made anew after the admin has removed all users", async () => {
    const before = await me();
    expect((await send("DELETE", "/users", { key: adminKey })).status).toBe(204);
    const after = await me();
    expect([after.status, after.body.username]).toEqual([200, organization]);
    expect(after.body.id).not.toBe(before.body.id);
  });
});

describe("Salad is asked", () => {
  test("once for 32 requests at once, and not again for five minutes (fault 15)", async () => {
    const answered = Promise.withResolvers<void>();
    salad.trouble = async () => {
      await answered.promise;
      return Response.json({ items: [] });
    };
    const all = Promise.all(Array.from({ length: 32 }, () => me()));
    await expect.poll(() => salad.questions.length).toBe(1);
    answered.resolve();
    expect(new Set((await all).map(({ status }) => status))).toEqual(new Set([200]));
    expect(salad.questions).toHaveLength(1);

    later(5 * minutes - 1000);
    expect((await me()).status).toBe(200);
    expect(salad.questions).toHaveLength(1);
    later(2000);
    expect((await me()).status).toBe(200);
    expect(salad.questions).toHaveLength(2);
  });

  test("by the caller's own key, for the organization and project that he names", async () => {
    await me("bad", organization, "other");
    expect(salad.questions).toEqual([`bad ${organization}/other`]);
  });

  test("apart for each key, organization and project, even where they read alike when run together", async () => {
    salad.reach.set("k acme/ab1", []);
    expect((await me("k", "acme", "ab1")).status).toBe(200);
    expect((await me("k", "acmea", "b1")).status).toBe(403);
    expect((await me("k", "acme", "ab2")).status).toBe(403);
    expect((await me("ka", "cme", "ab1")).status).toBe(403);
  });

  test("not for names that cannot be on SaladCloud: 403", async () => {
    for (const name of ["ACME", "a", "../../x", "acme/projects/x", "acme?x", "a".repeat(64)]) {
      expect([name, (await me("good", name)).status]).toEqual([name, 403]);
      expect([name, (await me("good", organization, name)).status]).toEqual([name, 403]);
    }
    expect(salad.questions).toEqual([]);
  });

  test("again three seconds after a no, and a no ends an old yes at once", async () => {
    const question = `good ${organization}/default`;
    salad.reach.delete(question);
    expect([(await me()).status, (await me()).status]).toEqual([403, 403]);
    expect(salad.questions).toHaveLength(1);
    salad.reach.set(question, []);
    later(3001);
    expect((await me()).status).toBe(200);

    salad.reach.delete(question);
    expect((await me()).status).toBe(200);
    later(6 * minutes);
    expect((await me()).status).toBe(403);
    // Nor does it come back when Salad falls silent.
    later(4000);
    salad.trouble = down["a 500"] ?? null;
    expect((await me()).status).toBe(503);
  });

  test("which groups there are, by the way", async () => {
    salad.reach.set(`good ${organization}/default`, [
      { id: "g1", name: "one" },
      { id: "g2", name: "two" },
    ]);
    const { body } = await me();
    const { results } = await env.DB.prepare(
      "SELECT container_group_id, project_name, container_group_name FROM salad_groups WHERE user_id = ? ORDER BY 1",
    )
      .bind(body.id)
      .all();
    expect(results).toEqual([
      { container_group_id: "g1", project_name: "default", container_group_name: "one" },
      { container_group_id: "g2", project_name: "default", container_group_name: "two" },
    ]);
  });
});

describe.each(Object.entries(down))("while Salad answers %s", (_name, trouble) => {
  test("a caller that nobody knows gets 503 with Retry-After, never 403, and Salad is left in peace", async () => {
    salad.trouble = trouble;
    const { status, headers, body } = await me();
    expect([status, body.error, headers.get("retry-after")]).toEqual([503, "unavailable", "5"]);
    expect((await me()).status).toBe(503);
    expect(salad.questions).toHaveLength(1);
    later(5001);
    salad.trouble = null;
    expect((await me()).status).toBe(200);
  });

  test("a known caller goes on, for an hour since Salad's last yes", async () => {
    const { body } = await me();
    salad.trouble = trouble;
    later(6 * minutes);
    expect([(await me()).status, (await me()).body.id]).toEqual([200, body.id]);
    expect(salad.questions).toHaveLength(2);
    later(53 * minutes);
    expect((await me()).status).toBe(200);
    later(minutes + 1);
    expect((await me()).status).toBe(503);
  });
});

test("while Salad is silent, a known caller waits two seconds at most", async () => {
  await me();
  const never = Promise.withResolvers<Response>();
  salad.trouble = () => never.promise;
  later(6 * minutes);
  expect((await me()).status).toBe(200);
  never.reject(new TypeError("Network connection lost."));
  // Its request waits for it all the same.
  await vi.waitFor(() => expect(salad.warnings).toHaveBeenCalled());
});

test("the key stays where it is: neither stored nor logged", async () => {
  const secret = "salad_cloud_user_secret";
  const writers = ["warn", "info", "error", "log"] as const;
  const said = writers.map((name) => vi.spyOn(console, name).mockImplementation(() => undefined));
  salad.reach.set(`${secret} ${organization}/default`, [{ id: "g1", name: "one" }]);
  expect((await me(secret)).status).toBe(200);
  expect(JSON.stringify(await me(secret, organization, "other"))).not.toContain(secret);
  salad.trouble = () => Response.json({ detail: `no ${secret}` }, { status: 500 });
  await me(secret, organization, "third");
  for (const table of ["users", "tokens", "salad_groups"]) {
    const { results } = await env.DB.prepare(`SELECT * FROM ${table}`).all();
    expect(JSON.stringify(results)).not.toContain(secret);
  }
  expect(said.flatMap((spy) => spy.mock.calls).length).toBeGreaterThan(0);
  for (const spy of said) expect(JSON.stringify(spy.mock.calls)).not.toContain(secret);
});
