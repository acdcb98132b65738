import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { needSalad, promise } from "../support/promise.ts";
import { callsWithKey, createApiKey, saladKey } from "../support/salad.ts";

promise("7.15", "A Salad key is checked once, not with each request", () => {
  it("60 requests, of them 30 at once: one call of the Salad API", async (context) => {
    const salad = needSalad(context);
    const apiKey = await createApiKey(salad);
    const headers = saladKey(apiKey, salad.organization, salad.project);
    const ask = () => call("GET", "/users/me", { headers });
    const answers = await Promise.all(Array.from({ length: 30 }, ask));
    for (let n = 0; n < 30; n++) answers.push(await ask());
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(await callsWithKey(salad, apiKey)).toBe(1);
  });
});
