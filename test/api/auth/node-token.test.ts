/** A node by the token of SaladCloud's metadata service: what is believed, what is compared, and what happens to the keys. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { exportJWK } from "jose";
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import type { ClaimedJob, ErrorBody, User } from "../../../src/contract/index.ts";
import { send, submission } from "../http/client.ts";
import {
  down,
  FakeSalad,
  type Minted,
  mint,
  newOrganization,
  newSigner,
  nodeHeaders,
  type Signer,
  saladHeaders,
  workPath,
} from "./salad.ts";

let signer: Signer;
let other: Signer;
beforeAll(async () => {
  signer = await newSigner("key-1");
  other = await newSigner("key-2");
});

let salad: FakeSalad;
let organization: string;
beforeEach(() => {
  salad = new FakeSalad();
  salad.keys = [signer.publicJwk];
  organization = newOrganization();
  deployment = newDeployment();
});
afterEach(() => {
  vi.useRealTimers();
  salad.stop();
});

let deployments = 0;
/** The keys are kept by their address: one of its own is an isolate that knows none. */
const newDeployment = () => ({ ...env, SALAD_JWKS_URL: `https://salad.test/${++deployments}/jwks.json` });
let deployment: ReturnType<typeof newDeployment>;

async function call<Body = ErrorBody>(
  method: string,
  path: string,
  headers: Record<string, string>,
  body?: unknown,
) {
  const sent = body === undefined ? null : JSON.stringify(body);
  const context = createExecutionContext();
  const request = new Request(`https://api.test${path}`, { method, headers, body: sent });
  const response = await createApp().fetch(request, deployment, context);
  await waitOnExecutionContext(context);
  return {
    status: response.status,
    headers: response.headers,
    body: (await response.json()) as Body,
  };
}

const tokenOf = (minted: Partial<Minted> = {}, by: Signer = signer) => mint(by, { organization, ...minted });
const work = async (token: string, project?: string) =>
  await call<ErrorBody>("GET", workPath(), nodeHeaders(token, project));
const statusOf = async (minted: Partial<Minted> = {}, by?: Signer) =>
  (await work(await tokenOf(minted, by))).status;
const later = (ms: number) => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
const now = () => Math.floor(Date.now() / 1000);

describe("a node", () => {
  test("works for the user that its organization's people are, whoever comes first", async () => {
    salad.reach.set(`good ${organization}/default`, []);
    expect(await statusOf()).toBe(200);
    const person = { headers: saladHeaders("good", organization) };
    const { body: user } = await send<User>("GET", "/users/me", person);
    expect(user.username).toBe(organization);
    await send("POST", "/jobs", { ...person, body: submission() });
    const { body: jobs } = await call<ClaimedJob[]>("GET", workPath(), nodeHeaders(await tokenOf()));
    expect(jobs.map(({ user_id }) => user_id)).toEqual([user.id]);
  });

  test("of an organization called admin does not work for the admin", async () => {
    expect(await statusOf({ organization: "admin" })).toBe(200);
    const { results } = await env.DB.prepare(
      "SELECT username FROM users WHERE organization_id = 'id-of-admin'",
    ).all();
    expect(results).toEqual([{ username: "organization admin" }]);
  });

  test.each<[string, string, string, Record<string, unknown> | undefined]>([
    ["claims", "GET", workPath("group", "m2"), undefined],
    ["claims of a group", "GET", workPath("g2", "m1"), undefined],
    ["sockets", "GET", "/agents/socket?machine_id=m2&container_group_id=group", undefined],
    ["sockets of a group", "GET", "/agents/socket?machine_id=m1&container_group_id=g2", undefined],
    ["heartbeats", "POST", "/jobs/JOB/heartbeat", { machine_id: "m2", container_group_id: "group" }],
    ["heartbeats of a group", "POST", "/jobs/JOB/heartbeat", { machine_id: "m1", container_group_id: "g2" }],
    ["reports", "POST", "/jobs/JOB/completed", { machine_id: "m2", container_group_id: "group" }],
    ["reports of a group", "POST", "/jobs/JOB/failed", { machine_id: "m1", container_group_id: "g2" }],
  ])("may not make %s for others (fault 14)", async (_name, method, path, body) => {
    const url = path.replace("JOB", crypto.randomUUID());
    const answer = await call(method, url, nodeHeaders(await tokenOf()), body);
    expect([answer.status, answer.body.error]).toEqual([403, "forbidden"]);
  });

  test("takes salad_machine_id for its machine, else sub", async () => {
    expect(await statusOf({ claims: { sub: "another" } })).toBe(200);
    expect(await statusOf({ claims: { salad_machine_id: undefined } })).toBe(200);
    expect(await statusOf({ claims: { salad_machine_id: undefined, sub: "m2" } })).toBe(403);
  });
});

describe("refused with 403", () => {
  test.each<[string, Partial<Minted>]>([
    ["expired for longer than the leeway", { claims: { exp: now() - 31 } }],
    ["not valid for longer than the leeway", { claims: { nbf: now() + 45 } }],
    ["without exp", { claims: { exp: undefined } }],
    ["with an exp that is text", { claims: { exp: "9999999999" } }],
    ["without aud", { claims: { aud: undefined } }],
    ["for several audiences", { claims: { aud: ["a", "b"] } }],
    ["with an aud beyond bounds", { claims: { aud: "x".repeat(257), salad_organization_id: undefined } }],
    ["without organization name", { claims: { salad_organization_name: undefined } }],
    ["with a name that is none", { claims: { salad_organization_name: "organization admin" } }],
    ["without a workload", { claims: { salad_workload_id: undefined } }],
    ["without sub", { claims: { sub: undefined } }],
    ["with a machine that is a number", { claims: { salad_machine_id: 7 } }],
    ["of two organizations", { claims: { salad_organization_id: "another" } }],
    ["by a key that is not published", { header: { kid: "key-9" } }],
    ["without kid", { header: { kid: undefined } }],
    ["of more than 4,096 characters", { claims: { more: "x".repeat(4096) } }],
  ])("a token %s", async (_name, minted) => {
    expect(await statusOf(minted)).toBe(403);
  });

  test("a token that another key signed under this one's name", async () => {
    expect(await statusOf({}, { ...other, kid: signer.kid })).toBe(403);
  });

  test("another algorithm, whatever the key set offers: none, HS256 by the public key, ES384, RS256", async () => {
    const parts = (await tokenOf()).split(".");
    const encoded = (value: unknown) => btoa(JSON.stringify(value)).replace(/=+$/, "");
    const none = `${encoded({ alg: "none", kid: signer.kid })}.${parts[1]}.`;
    const hs256 = await crypto.subtle.importKey(
      "raw",
      new TextEncoder().encode(JSON.stringify(await exportJWK(signer.privateKey))),
      { name: "HMAC", hash: "SHA-256" },
      false,
      ["sign"],
    );
    const byPublicKey = await mint({ kid: signer.kid, alg: "HS256", privateKey: hs256 }, { organization });
    const es384 = await newSigner("key-384", "ES384");
    const rs256 = await newSigner("key-rsa", "RS256");
    salad.keys = [signer.publicJwk, es384.publicJwk, rs256.publicJwk];
    const tokens = [none, byPublicKey, await tokenOf({}, es384), await tokenOf({}, rs256)];
    for (const token of tokens) expect((await work(token)).status).toBe(403);
    // A header that lies about how it was signed.
    expect(await statusOf({}, { ...es384, kid: "key-1", alg: "ES384" })).toBe(403);
  });

  test("a token whose payload was changed, and what is no token at all", async () => {
    const [head, , signature] = (await tokenOf()).split(".");
    const [, payload] = (await tokenOf({ machine: "m2" })).split(".");
    const texts = [`${head}.${payload}.${signature}`, "a.b.c", "x", "...", `${head}.${payload}`];
    for (const text of texts) expect([text, (await work(text)).status]).toEqual([text, 403]);
  });
});

test("half a minute of leeway, at both ends", async () => {
  expect(await statusOf({ claims: { exp: now() - 25 } })).toBe(200);
  expect(await statusOf({ claims: { nbf: now() + 25 } })).toBe(200);
});

test("a token that is known ends when it ends", async () => {
  const token = await tokenOf({ claims: { exp: now() + 60 } });
  expect((await work(token)).status).toBe(200);
  later(85_000);
  expect((await work(token)).status).toBe(200);
  later(6_000);
  expect((await work(token)).status).toBe(403);
});

describe("an organization's id", () => {
  test("is kept by the first token; one of the same name and another id is refused", async () => {
    expect(await statusOf()).toBe(200);
    const read = env.DB.prepare("SELECT organization_id FROM users WHERE username = ?").bind(organization);
    expect(await read.first()).toEqual({ organization_id: `id-of-${organization}` });
    const stranger = { claims: { aud: "another", salad_organization_id: "another" } };
    const { status, body } = await work(await tokenOf(stranger));
    expect([status, body.message]).toEqual([403, expect.stringContaining("another organization")]);
    expect(await read.first()).toEqual({ organization_id: `id-of-${organization}` });
    expect(await statusOf()).toBe(200);
  });

  test("is one, of two first tokens that disagree and come at once", async () => {
    const ids = ["one", "two"];
    const tokens = await Promise.all(
      ids.map((aud) => tokenOf({ claims: { aud, salad_organization_id: aud } })),
    );
    const statuses = (await Promise.all(tokens.map((token) => work(token)))).map(({ status }) => status);
    expect(statuses.sort()).toEqual([200, 403]);
  });
});

describe("Salad-Project", () => {
  const groupsOf = (userId: string) =>
    env.DB.prepare("SELECT project_name FROM salad_groups WHERE user_id = ?").bind(userId).all();

  test("of a group that Salad has not told is accepted and stored nowhere", async () => {
    expect((await work(await tokenOf(), "anything")).status).toBe(200);
    const { results } = await env.DB.prepare(
      "SELECT * FROM salad_groups WHERE project_name = 'anything'",
    ).all();
    expect(results).toEqual([]);
  });

  test("other than the group's is a 403, also for a token that is known (fault 14)", async () => {
    salad.reach.set(`good ${organization}/right`, [{ id: "group", name: "one" }]);
    const { body } = await send<User>("GET", "/users/me", {
      headers: saladHeaders("good", organization, "right"),
    });
    expect((await groupsOf(body.id)).results).toEqual([{ project_name: "right" }]);
    const token = await tokenOf();
    expect((await work(token, "right")).status).toBe(200);
    const wrong = await work(token, "wrong");
    expect([wrong.status, wrong.body.message]).toEqual([403, expect.stringContaining("Salad-Project")]);
    expect((await work(token, "right")).status).toBe(200);
  });

  test("is compared within a minute after Salad has told", async () => {
    const token = await tokenOf();
    expect((await work(token, "wrong")).status).toBe(200);
    salad.reach.set(`good ${organization}/right`, [{ id: "group", name: "one" }]);
    await send("GET", "/users/me", { headers: saladHeaders("good", organization, "right") });
    later(61_000);
    expect((await work(token, "wrong")).status).toBe(403);
  });
});

describe("the keys", () => {
  test("are fetched once for 32 tokens at once, and a token that is known is not verified again", async () => {
    const tokens = await Promise.all(Array.from({ length: 32 }, () => tokenOf()));
    const answers = await Promise.all(tokens.map((token) => work(token)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(salad.keyFetches).toBe(1);
    const verify = vi.spyOn(crypto.subtle, "verify");
    expect((await work(tokens[0] ?? "")).status).toBe(200);
    expect(verify).not.toHaveBeenCalled();
    expect(await statusOf({ claims: { jti: "new" } })).toBe(200);
    expect(verify).toHaveBeenCalledOnce();
    verify.mockRestore();
  });

  test("are fetched again for one that is not among them, once in 30 s however many unknown ones come", async () => {
    expect(await statusOf()).toBe(200);
    salad.keys = [signer.publicJwk, other.publicJwk];
    // Known to be not among those of just now.
    expect(await statusOf({}, other)).toBe(403);
    expect(salad.keyFetches).toBe(1);
    later(30_001);
    const guesses = await Promise.all(
      Array.from({ length: 20 }, (_, i) => tokenOf({ header: { kid: `guess-${i}` } })),
    );
    const statuses = await Promise.all([
      ...guesses.map((token) => work(token)),
      work(await tokenOf({}, other)),
    ]);
    expect(statuses.map(({ status }) => status)).toEqual([...guesses.map(() => 403), 200]);
    expect(salad.keyFetches).toBe(2);
  });

  test("that Salad publishes no more are forgotten with the next fetch", async () => {
    expect(await statusOf()).toBe(200);
    salad.keys = [other.publicJwk];
    later(10 * 60_000 + 1);
    // This one is answered by the old keys, and has them fetched.
    expect(await statusOf({ claims: { jti: "1" } })).toBe(200);
    expect(salad.keyFetches).toBe(2);
    expect(await statusOf({ claims: { jti: "2" } })).toBe(403);
    expect(await statusOf({}, other)).toBe(200);
  });

  test.each(
    Object.entries({
      ...down,
      "an empty set": () => Response.json({ keys: [] }),
      "a redirect": () =>
        new Response(null, { status: 302, headers: { Location: "https://evil.test/jwks.json" } }),
      "a set without end": () => new Response(`{"keys": [${"1,".repeat(100_000)}1]}`),
    }),
  )("go on for a day while their source answers %s; without them nodes get 503", async (_name, trouble) => {
    expect(await statusOf()).toBe(200);
    salad.keyTrouble = trouble;
    later(20 * 60_000);
    expect(await statusOf()).toBe(200);
    later(23 * 3_600_000);
    expect(await statusOf()).toBe(200);
    later(3_600_000);
    const { status, body, headers } = await work(await tokenOf());
    expect([status, body.error, headers.get("retry-after")]).toEqual([503, "unavailable", "5"]);
  });

  test("that were never had are a 503, asked for once in 5 s", async () => {
    salad.keyTrouble = down["a 500"] ?? null;
    expect([await statusOf(), await statusOf(), await statusOf()]).toEqual([503, 503, 503]);
    expect(salad.keyFetches).toBe(1);
    later(5001);
    salad.keyTrouble = null;
    expect(await statusOf()).toBe(200);
  });

  test("an unknown one is a 503 while nobody can say whether it exists", async () => {
    expect(await statusOf()).toBe(200);
    salad.keyTrouble = down["a 500"] ?? null;
    later(30_001);
    expect(await statusOf({}, other)).toBe(503);
    expect(await statusOf({ claims: { jti: "known" } })).toBe(200);
  });
});
