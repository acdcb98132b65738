/** Tokens: named, listed, revoked, with an end and a role; never shown again. */
import { env } from "cloudflare:workers";
import type { Context } from "hono";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Token, TokenList, User } from "../../../src/contract/index.ts";
import type { AppEnv } from "../../../src/middleware/app-env.ts";
import { verdictOfKelpieKey } from "../../../src/middleware/authenticate/kelpie-key.ts";
import { adminKey, send, signUp, submit } from "../http/client.ts";

let user: { id: string; key: string };
let stranger: { id: string; key: string };
beforeAll(async () => {
  user = await signUp("tokens");
  stranger = await signUp("tokens-stranger");
});
afterEach(() => {
  vi.useRealTimers();
});

const later = (ms: number) => vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + ms });
const names = { org_name: "tokens", project_name: "default" };
const make = (key: string, fields: Record<string, unknown> = {}) =>
  send<Token & { field?: string; error?: string }>("POST", "/users/me/tokens", { key, body: fields });
const list = async (key: string) => (await send<TokenList>("GET", "/users/me/tokens", { key })).body.tokens;
const works = async (key: string) => (await send("GET", "/users/me", { key })).status === 200;

describe("one's own tokens", () => {
  test("are of one's organization and project, listed by name, and never told again", async () => {
    const { status, body } = await make(user.key, { name: "ci", org_name: "other", user_id: stranger.id });
    expect(status).toBe(201);
    const { token, ...info } = body;
    expect(info).toEqual({
      id: expect.any(String),
      name: "ci",
      role: "user",
      container_group_id: null,
      ...names,
      created: expect.stringMatching(/Z$/),
      expires: null,
    });
    expect((await send<User>("GET", "/users/me", { key: token })).body.id).toBe(user.id);
    const listed = await list(user.key);
    expect(listed).toContainEqual(info);
    expect(JSON.stringify(listed)).not.toContain(token);
    const { results } = await env.DB.prepare("SELECT * FROM tokens").all();
    expect(JSON.stringify(results)).not.toContain(token.slice(7));
  });

  test("are revoked by id, at once where it was done; a stranger cannot", async () => {
    const { body } = await make(user.key);
    const path = `/users/me/tokens/${body.id}`;
    expect((await send("DELETE", path, { key: stranger.key })).status).toBe(404);
    expect(await works(body.token)).toBe(true);
    expect((await send("DELETE", path, { key: user.key })).status).toBe(204);
    expect(await works(body.token)).toBe(false);
    expect((await send("DELETE", path, { key: user.key })).status).toBe(404);
    expect((await list(user.key)).map(({ id }) => id)).not.toContain(body.id);
  });

  test("are not made by the admin's key, which has no organization", async () => {
    expect((await make(adminKey)).status).toBe(403);
    expect((await send("GET", "/users/me/tokens", { key: adminKey })).status).toBe(200);
  });

  test("number a thousand at most; expired ones make room", async () => {
    const full = await signUp("full");
    await env.DB.prepare(
      `INSERT INTO tokens (hash, id, user_id, org_name, project_name, created, expires)
       SELECT 'full-' || value, 'id-' || value, ?1, 'o', 'p', value, IIF(value = 7, 9, NULL)
       FROM (WITH RECURSIVE n(value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM n WHERE value < 999) SELECT value FROM n)`,
    )
      .bind(full.id)
      .run();
    expect((await make(full.key)).status).toBe(201);
    const { status, body } = await make(full.key);
    expect([status, body.error]).toEqual([400, "invalid_request"]);
    expect((await list(full.key)).length).toBe(1000);
  });
});

describe("an end", () => {
  test("is kept although tokens are known for a minute", async () => {
    const { body } = await make(user.key, { expires_seconds: 20 });
    expect(Date.parse(body.expires ?? "") - Date.parse(body.created)).toBe(20_000);
    expect(await works(body.token)).toBe(true);
    later(19_000);
    expect(await works(body.token)).toBe(true);
    later(1_001);
    expect(await works(body.token)).toBe(false);
    expect((await list(user.key)).map(({ id }) => id)).not.toContain(body.id);
  });

  test("may be a time, with its offset", async () => {
    const end = new Date(Date.now() + 3_600_000);
    const text = `${new Date(end.getTime() + 7_200_000).toISOString().slice(0, -1)}+02:00`;
    expect((await make(user.key, { expires: text })).body.expires).toBe(end.toISOString());
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["in the past", { expires: "2020-01-01T00:00:00Z" }, "expires"],
    ["that is no time", { expires: "tomorrow" }, "expires"],
    ["in eleven years", { expires: new Date(Date.now() + 11 * 366 * 86_400_000).toISOString() }, "expires"],
    ["in no time", { expires_seconds: 0 }, "expires_seconds"],
    ["in a part of a second", { expires_seconds: 1.5 }, "expires_seconds"],
    ["in more than ten years", { expires_seconds: 315_360_001 }, "expires_seconds"],
    ["said twice", { expires_seconds: 60, expires: "2099-01-01T00:00:00Z" }, "expires_seconds"],
  ])("%s is a 400, and nothing is made", async (_name, fields, field) => {
    const before = await list(user.key);
    const { status, body } = await make(user.key, fields);
    expect([status, body.field]).toEqual([400, field]);
    expect(await list(user.key)).toEqual(before);
  });

  test("is not outlived by what is made with the token", async () => {
    const short = (await make(user.key, { expires_seconds: 100 })).body;
    expect((await make(short.token)).body.expires).toBe(short.expires);
    expect((await make(short.token, { expires_seconds: 50 })).status).toBe(201);
    const longer = await make(short.token, { expires_seconds: 200 });
    expect([longer.status, longer.body.field]).toEqual([400, "expires_seconds"]);
  });
});

describe("a token for nodes", () => {
  test("claims and reports in its group, under any machine id, and does nothing else", async () => {
    const made = await make(user.key, { role: "node", container_group_id: "fleet" });
    expect([made.body.role, made.body.container_group_id]).toEqual(["node", "fleet"]);
    const key = made.body.token;
    const job = await submit(user.key, { container_group_id: "fleet" });
    const elsewhere = await submit(user.key, { container_group_id: "elsewhere" });

    const work = (group: string) => send("GET", `/work?machine_id=m9&container_group_id=${group}`, { key });
    expect((await work("elsewhere")).status).toBe(403);
    const claimed = await work("fleet");
    expect([claimed.status, claimed.body]).toMatchObject([200, [{ id: job.id }]]);
    const holder = { machine_id: "m9", container_group_id: "fleet" };
    const tell = (id: string, what: string, body: object) =>
      send("POST", `/jobs/${id}/${what}`, { key, body });
    expect((await tell(job.id, "heartbeat", holder)).status).toBe(200);
    expect((await tell(elsewhere.id, "heartbeat", holder)).status).toBe(404);
    expect((await tell(elsewhere.id, "failed", holder)).status).toBe(404);
    expect((await tell(elsewhere.id, "failed", { ...holder, container_group_id: "elsewhere" })).status).toBe(
      403,
    );
    expect((await tell(job.id, "completed", holder)).status).toBe(200);

    for (const [method, path] of [
      ["GET", "/jobs"],
      ["POST", "/jobs"],
      ["GET", `/jobs/${job.id}`],
      ["DELETE", `/jobs/${job.id}`],
      ["GET", "/users/me/tokens"],
      ["POST", "/users/me/tokens"],
    ] as const) {
      expect([
        path,
        (await send(method, path, { key, body: method === "POST" ? {} : undefined })).status,
      ]).toEqual([path, 403]);
    }
  });

  test.each<[string, Record<string, unknown>, string]>([
    ["without its group", { role: "node" }, "container_group_id"],
    ["of a group that no URL can name", { role: "node", container_group_id: ".." }, "container_group_id"],
    ["that is only called confined", { container_group_id: "fleet" }, "container_group_id"],
    ["of a role that there is not", { role: "admin" }, "role"],
    ["with a name without end", { name: "x".repeat(129) }, "name"],
  ])("%s is a 400", async (_name, fields, field) => {
    const { status, body } = await make(user.key, fields);
    expect([status, body.field]).toEqual([400, field]);
  });
});

describe("the admin", () => {
  test("makes, lists and revokes tokens of any user", async () => {
    const path = `/users/${user.id}/token`;
    const body = {
      ...names,
      name: "by-admin",
      role: "node",
      container_group_id: "fleet",
      expires_seconds: 60,
    };
    const made = await send<Token>("POST", path, { key: adminKey, body });
    expect([made.status, made.body.role, made.body.name]).toEqual([201, "node", "by-admin"]);
    const listed = await send<TokenList>("GET", `/users/${user.id}/tokens`, { key: adminKey });
    const { token, ...info } = made.body;
    expect(listed.body.tokens).toContainEqual(info);
    expect(listed.body._count).toBe(listed.body.tokens.length);
    const revoke = (owner: string) => send("DELETE", `/users/${owner}/tokens/${info.id}`, { key: adminKey });
    expect((await revoke(stranger.id)).status).toBe(404);
    expect((await revoke(user.id)).status).toBe(204);
    expect((await send("GET", "/work?machine_id=m&container_group_id=fleet", { key: token })).status).toBe(
      403,
    );
  });

  test("does so alone", async () => {
    const { key } = user;
    expect((await send("GET", `/users/${user.id}/tokens`, { key })).status).toBe(403);
    expect((await send("DELETE", `/users/${user.id}/tokens/x`, { key })).status).toBe(403);
    expect((await send("POST", `/users/${user.id}/token`, { key, body: names })).status).toBe(403);
  });
});

test("guesses do not push out those who are known", async () => {
  const { body } = await make(user.key);
  expect(await works(body.token)).toBe(true);
  await env.DB.prepare("DELETE FROM tokens WHERE id = ?").bind(body.id).run();
  // More than either cache holds, of a database that knows none.
  const prepare = () => ({ bind: () => ({ first: async () => null }) });
  const c = { env: { ...env, DB: { prepare } } } as unknown as Context<AppEnv>;
  for (let i = 0; i < 10_001; i++) {
    expect(await verdictOfKelpieKey(c, `guess-${i}`)).toEqual({ wrong: expect.any(String) });
  }
  expect(await verdictOfKelpieKey(c, body.token)).toMatchObject({ principal: { userId: user.id } });
});
