/** The abuse guard: who is counted where, and who never is. The bindings' own counting is Cloudflare's. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import type { ErrorBody } from "../../../src/contract/index.ts";
import type { Bindings } from "../../../src/env.ts";
import { networkOf } from "../../../src/middleware/rate-limit.ts";
import { adminKey, signUp, submit } from "../http/client.ts";
import { FakeSalad, newOrganization, saladHeaders } from "./salad.ts";

let user: { id: string; key: string };
let other: { id: string; key: string };
beforeAll(async () => {
  user = await signUp("limited");
  other = await signUp("limited-too");
});

/** Counts as the binding does, without its window. */
class Limit {
  readonly keys: string[] = [];
  allowed = Number.POSITIVE_INFINITY;

  async limit({ key }: { key: string }) {
    this.keys.push(key);
    return { success: this.keys.filter((seen) => seen === key).length <= this.allowed };
  }
}

let people: Limit;
let agents: Limit;
let failures: Limit;
let bindings: Bindings;
beforeEach(() => {
  people = new Limit();
  agents = new Limit();
  failures = new Limit();
  bindings = { ...env, PEOPLE_LIMIT: people, AGENTS_LIMIT: agents, FAILURES_LIMIT: failures };
});

async function call(
  method: string,
  path: string,
  {
    key = user.key,
    headers: credential = { "X-Kelpie-Key": key },
    body,
    from,
  }: { key?: string; headers?: Record<string, string>; body?: unknown; from?: string } = {},
) {
  const headers = { ...credential, ...(from === undefined ? {} : { "CF-Connecting-IP": from }) };
  const sent = body === undefined ? null : JSON.stringify(body);
  const context = createExecutionContext();
  const request = new Request(`https://api.test${path}`, { method, headers, body: sent });
  const response = await createApp().fetch(request, bindings, context);
  await waitOnExecutionContext(context);
  const text = await response.text();
  return {
    status: response.status,
    headers: response.headers,
    body: (text && JSON.parse(text)) as ErrorBody,
  };
}

const work = "/work?machine_id=m&container_group_id=limited";

test("over the limit is a 429 that says when to come again, for that credential alone", async () => {
  people.allowed = 2;
  const statuses = [];
  for (let i = 0; i < 3; i++) statuses.push((await call("GET", "/jobs")).status);
  expect(statuses).toEqual([200, 200, 429]);
  const { headers, body } = await call("GET", "/jobs");
  expect([body.error, headers.get("retry-after")]).toEqual(["rate_limited", "10"]);
  expect(headers.get("access-control-expose-headers")).toContain("Retry-After");
  expect((await call("GET", "/jobs", { key: other.key })).status).toBe(200);
  expect((await call("GET", "/users/me", { key: adminKey })).status).toBe(200);
});

test("nothing is done over the limit", async () => {
  people.allowed = 0;
  const body = { command: "x", container_group_id: "limited-jobs", sync: {} };
  expect((await call("POST", "/jobs", { body })).status).toBe(429);
  const count = env.DB.prepare("SELECT COUNT(*) AS n FROM jobs WHERE container_group_id = 'limited-jobs'");
  expect(await count.first()).toEqual({ n: 0 });
});

test("agents are counted apart from people", async () => {
  people.allowed = 0;
  expect((await call("GET", work)).status).toBe(200);
  agents.allowed = 1;
  expect((await call("GET", work)).status).toBe(429);
  expect(people.keys).toEqual([]);
});

test("heartbeats, renewals and reports are never limited: a job would be lost by it", async () => {
  agents.allowed = 0;
  people.allowed = 0;
  const { id } = await submit(user.key, { container_group_id: "limited" });
  const holder = { machine_id: "m", container_group_id: "limited" };
  const leases = [{ job_id: id, attempt: 1, lease_token: "x" }];
  expect((await call("POST", "/leases/renew", { body: { ...holder, leases } })).status).toBe(200);
  expect((await call("POST", `/jobs/${id}/heartbeat`, { body: holder })).status).toBe(200);
  expect((await call("POST", `/jobs/${id}/failed`, { body: holder })).status).toBe(202);
  expect((await call("POST", `/jobs/${id}/released`, { body: holder })).status).not.toBe(429);
  expect((await call("POST", `/jobs/${id}/completed`, { body: holder })).status).not.toBe(429);
  expect([...agents.keys, ...people.keys]).toEqual([]);
});

test("what is counted by is no credential", async () => {
  await call("GET", "/jobs");
  await call("GET", work);
  for (const key of [...people.keys, ...agents.keys]) expect(key).toMatch(/^[0-9a-f]{64}$/);
});

describe("wrong credentials", () => {
  test("are limited per address: 429 in place of 403", async () => {
    failures.allowed = 2;
    const wrong = { key: "kelpie_wrong", from: "192.0.2.1" };
    const statuses = [];
    for (let i = 0; i < 3; i++) statuses.push((await call("GET", "/jobs", wrong)).status);
    expect(statuses).toEqual([403, 403, 429]);
    const { headers } = await call("GET", "/jobs", wrong);
    expect(headers.get("retry-after")).toBe("60");
    expect((await call("GET", "/jobs", { ...wrong, from: "192.0.2.2" })).status).toBe(403);
  });

  test("of others at the same address never judge a right one", async () => {
    failures.allowed = 0;
    const from = "192.0.2.3";
    expect((await call("GET", "/jobs", { key: "kelpie_wrong", from })).status).toBe(429);
    expect((await call("GET", "/jobs", { from })).status).toBe(200);
    const fresh = await signUp(`fresh-${crypto.randomUUID()}`);
    expect((await call("GET", "/jobs", { key: fresh.key, from })).status).toBe(200);
  });

  describe("that only Salad can tell", () => {
    let salad: FakeSalad;
    beforeEach(() => {
      salad = new FakeSalad();
    });
    afterEach(() => {
      vi.useRealTimers();
      salad.stop();
    });
    const ask = (saladKey: string, organization: string, from?: string) =>
      call("GET", "/users/me", { headers: saladHeaders(saladKey, organization), ...(from ? { from } : {}) });

    test("are not put to Salad over the limit, until its window has passed", async () => {
      const organization = newOrganization();
      const from = "2001:db8:5::1";
      failures.allowed = 2;
      const statuses = [];
      for (let guess = 0; guess < 5; guess++)
        statuses.push((await ask(`guess-${guess}`, organization, from)).status);
      expect(statuses).toEqual([403, 403, 429, 429, 429]);
      expect(salad.questions).toHaveLength(3);
      const refused = await ask("another", organization, "2001:db8:5::2");
      expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "60"]);
      // Elsewhere, or with nothing to tell where, it is asked.
      expect((await ask("another", organization, "2001:db8:6::1")).status).toBe(403);
      expect((await ask("another-one", organization)).status).toBe(403);
      expect(salad.questions).toHaveLength(5);

      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 61_000 });
      failures.allowed = Number.POSITIVE_INFINITY;
      expect((await ask("late", organization, from)).status).toBe(403);
      expect(salad.questions).toHaveLength(6);
    });

    test("never stand in the way of one that was right lately", async () => {
      const organization = newOrganization();
      const from = "192.0.2.6";
      salad.reach.set(`good ${organization}/default`, []);
      expect((await ask("good", organization, from)).status).toBe(200);
      failures.allowed = 0;
      expect((await ask("guess", organization, from)).status).toBe(429);
      expect((await ask("good", organization, from)).status).toBe(200);
      // Also when it is to be asked again.
      vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 6 * 60_000 });
      expect((await ask("guess", organization, from)).status).toBe(429);
      const before = salad.questions.length;
      expect((await ask("good", organization, from)).status).toBe(200);
      expect(salad.questions).toHaveLength(before + 1);
    });

    test("are asked as ever where there is no limit", async () => {
      failures.allowed = 0;
      const organization = newOrganization();
      const from = "192.0.2.7";
      expect((await ask("guess", organization, from)).status).toBe(429);
      bindings = { ...bindings, KELPIE_RATE_LIMITS: "off" };
      expect((await ask("guess-2", organization, from)).status).toBe(403);
      expect(salad.questions).toHaveLength(2);
    });
  });

  test("none, and half a one, do not count", async () => {
    const request = new Request("https://api.test/jobs", { headers: { "CF-Connecting-IP": "192.0.2.4" } });
    expect((await createApp().fetch(request, bindings, createExecutionContext())).status).toBe(401);
    request.headers.set("Salad-Api-Key", "x");
    expect((await createApp().fetch(request, bindings, createExecutionContext())).status).toBe(400);
    expect(failures.keys).toEqual([]);
  });

  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
    ["2001:DB8:0001:2::6", "2001:db8:1:2"],
    ["2001:db8::1", "2001:db8:0:0"],
    ["::1", "0:0:0:0"],
    ["2001:db8:1:2::", "2001:db8:1:2"],
  ])("from %s count for %s", (address, network) => {
    expect(networkOf(address)).toBe(network);
  });
});

describe("there is no limit", () => {
  const limitless = async () => {
    for (const path of ["/jobs", work]) expect((await call("GET", path)).status).toBe(200);
    expect((await call("GET", "/jobs", { key: "kelpie_wrong", from: "192.0.2.5" })).status).toBe(403);
    expect([...people.keys, ...agents.keys, ...failures.keys]).toEqual([]);
  };
  const nothingAllowed = () => {
    for (const limit of [people, agents, failures]) limit.allowed = 0;
  };

  test("where it is switched off", async () => {
    nothingAllowed();
    bindings = { ...bindings, KELPIE_RATE_LIMITS: "off" };
    await limitless();
  });

  test("without the bindings", async () => {
    const { PEOPLE_LIMIT, AGENTS_LIMIT, FAILURES_LIMIT, ...rest } = env;
    bindings = rest as unknown as Bindings;
    await limitless();
  });
});

test("the bindings of wrangler.toml count", async () => {
  const key = crypto.randomUUID();
  const answers = await Promise.all(Array.from({ length: 61 }, () => env.FAILURES_LIMIT.limit({ key })));
  expect(answers.filter(({ success }) => !success)).toHaveLength(1);
});
