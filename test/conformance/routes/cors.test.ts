import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { settings } from "../support/settings.ts";

const origin = { Origin: "https://dashboard.example" };

promise("2", "CORS is open: any origin, every method of the contract, every header of a credential", () => {
  it.each(["GET", "POST", "PATCH", "DELETE"])("preflight of %s needs no credential", async (method) => {
    const wanted = [
      "x-kelpie-key",
      "salad-api-key",
      "salad-organization",
      "salad-project",
      "authorization",
      "content-type",
    ];
    const answer = await call("OPTIONS", "/scaling-rules/g", {
      undocumented: true,
      headers: {
        ...origin,
        "Access-Control-Request-Method": method,
        "Access-Control-Request-Headers": wanted.join(","),
      },
    });
    expect(answer.status).toBeLessThan(300);
    expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    expect(answer.headers.get("access-control-allow-methods")?.split(/,\s*/)).toContain(method);
    const allowed = answer.headers.get("access-control-allow-headers")?.toLowerCase().split(/,\s*/) ?? [];
    expect(allowed).toEqual(expect.arrayContaining(wanted));
  });

  it("answers and errors can be read from any origin", async () => {
    for (const key of [settings.alice.key, "wrong", undefined]) {
      const answer = await call("GET", "/users/me", { key, headers: origin });
      expect(answer.headers.get("access-control-allow-origin")).toBe("*");
    }
  });
});
