import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { settings } from "../support/settings.ts";
import { isoTime, type User } from "../support/wire.ts";

promise("2", "GET /users/me: {id, username, created}", () => {
  it("of the credential", async () => {
    const { id, username, key } = settings.alice;
    const answer = await call<User>("GET", "/users/me", { key });
    expect([answer.status, answer.body]).toEqual([
      200,
      expect.objectContaining({ id, username, created: expect.stringMatching(isoTime) }),
    ]);
  });
});
