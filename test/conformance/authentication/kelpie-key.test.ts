import { expect, it } from "vitest";
import { call, expectError } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import { saladKey } from "../support/salad.ts";
import { settings } from "../support/settings.ts";
import type { User } from "../support/wire.ts";

const { alice, bob } = settings;

promise("1", "X-Kelpie-Key is a token of one user, and wins over the other credentials", () => {
  it("each token is its user's", async () => {
    for (const { id, username, key } of [alice, bob]) {
      const answer = await call<User>("GET", "/users/me", { key });
      expect(answer.body).toMatchObject({ id, username });
    }
  });

  it("what a user submits is his", async () => {
    expect((await openQueue(alice.key).submit()).user_id).toBe(alice.id);
    expect((await openQueue(bob.key).submit()).user_id).toBe(bob.id);
  });

  it("a wrong one is a 403", async () => {
    for (const key of ["wrong", `${alice.key}0`, alice.key.slice(0, -1)]) {
      expectError(await call("GET", "/users/me", { key }), 403);
    }
  });

  it("wins over a Salad key and a node's token, whatever these are worth", async () => {
    const others = { ...saladKey("worthless", "nobody", "nothing"), Authorization: "Bearer worthless" };
    const answer = await call<User>("GET", "/users/me", { key: alice.key, headers: others });
    expect(answer.body).toMatchObject({ id: alice.id });
    expectError(await call("GET", "/users/me", { key: "wrong", headers: others }), 403);
  });
});
