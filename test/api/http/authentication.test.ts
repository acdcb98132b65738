import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test, vi } from "vitest";
import type { User } from "../../../src/contract/index.ts";
import { adminKey, send, signUp } from "./client.ts";

let alice: { id: string; key: string };
beforeAll(async () => {
  alice = await signUp("alice");
});

describe("credentials", () => {
  test("none is a 401", async () => {
    const { status, body } = await send("GET", "/users/me");
    expect(status).toBe(401);
    expect(body.error).toBe("unauthorized");
  });

  test("a wrong X-Kelpie-Key is a 403", async () => {
    const { status, body } = await send("GET", "/users/me", { key: "kelpie_wrong" });
    expect(status).toBe(403);
    expect(body.error).toBe("forbidden");
  });

  test("a prefix of the admin's key is a 403", async () => {
    expect((await send("GET", "/users/me", { key: adminKey.slice(0, -1) })).status).toBe(403);
  });

  test("a Salad API key without its organization or project is a 400", async () => {
    const halves: Record<string, string>[] = [
      {},
      { "Salad-Organization": "acme" },
      { "Salad-Project": "default" },
    ];
    for (const beside of halves) {
      const { status, body } = await send("GET", "/users/me", {
        headers: { "Salad-Api-Key": "salad_cloud_user_x", ...beside },
      });
      expect(status).toBe(400);
      expect(body.message).toContain("Salad-Organization");
    }
  });

  test("a node's token without Salad-Project is a 400", async () => {
    const { status, body } = await send("GET", "/users/me", { headers: { Authorization: "Bearer a.b.c" } });
    expect(status).toBe(400);
    expect(body.message).toContain("Salad-Project");
  });

  test("X-Kelpie-Key wins over the others", async () => {
    const { status, body } = await send<User>("GET", "/users/me", {
      key: alice.key,
      headers: { "Salad-Api-Key": "x", Authorization: "Bearer a.b.c" },
    });
    expect(status).toBe(200);
    expect(body.id).toBe(alice.id);
  });

  test("an unknown route does not tell strangers that it is unknown", async () => {
    expect((await send("GET", "/nowhere")).status).toBe(401);
  });
});

describe("tokens", () => {
  test("are stored as hashes only", async () => {
    expect(alice.key).toMatch(/^kelpie_[0-9a-f]{64}$/);
    const { results } = await env.DB.prepare("SELECT * FROM tokens").all();
    expect(JSON.stringify(results)).not.toContain(alice.key.slice(7));
  });

  test("are looked up once, then known for a minute", async () => {
    const carol = await signUp("carol");
    const { id } = carol;
    expect((await send("GET", "/jobs", { key: carol.key })).status).toBe(200);
    await env.DB.prepare("DELETE FROM tokens WHERE user_id = ?").bind(id).run();
    expect((await send("GET", "/jobs", { key: carol.key })).status).toBe(200);

    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 60_001 });
    expect((await send("GET", "/jobs", { key: carol.key })).status).toBe(403);
    vi.useRealTimers();
  });
});

describe("routes of the admin", () => {
  test.each([
    ["POST", "/users"],
    ["POST", "/users/someone/token"],
    ["DELETE", "/users"],
    ["DELETE", "/jobs"],
  ])("%s %s answers 403 to anybody else, whatever the body", async (method, path) => {
    const { status, body } = await send(method, path, { key: alice.key });
    expect(status).toBe(403);
    expect(body.error).toBe("forbidden");
  });
});
