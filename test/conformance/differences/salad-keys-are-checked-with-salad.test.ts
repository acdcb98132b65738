import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { needSalad, promise } from "../support/promise.ts";
import { callsWithKey, createApiKey, saladKey } from "../support/salad.ts";

promise("8", "Salad API keys are checked with the Salad API itself, with the caller's own key", () => {
  it("the Salad API sees that key", async (context) => {
    const salad = needSalad(context);
    const apiKey = await createApiKey(salad);
    expect(await callsWithKey(salad, apiKey)).toBe(0);
    const headers = saladKey(apiKey, salad.organization, salad.project);
    expect((await call("GET", "/users/me", { headers })).status).toBe(200);
    expect(await callsWithKey(salad, apiKey)).toBeGreaterThan(0);
  });
});
