import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import { configOf } from "../../../src/env.ts";

const statusWith = async (adminKey: string, presented: string) => {
  const request = new Request("https://api.test/users/me", { headers: { "X-Kelpie-Key": presented } });
  return (await createApp().fetch(request, { ...env, KELPIE_ADMIN_KEY: adminKey })).status;
};

test("without an admin key there is no admin", async () => {
  expect(configOf({ ...env, KELPIE_ADMIN_KEY: "" }).adminKey).toBeNull();
  expect(await statusWith("", "undefined")).toBe(403);
});

test("an admin key that was cut short is told to the operator by name, not by value", async () => {
  expect(() => configOf({ ...env, KELPIE_ADMIN_KEY: "s3cr3t" })).toThrow(/KELPIE_ADMIN_KEY/);
  const errors = vi.spyOn(console, "error").mockImplementation(() => undefined);
  expect(await statusWith("s3cr3t", "s3cr3t")).toBe(500);
  expect(String(errors.mock.calls[0]?.[0])).toContain("KELPIE_ADMIN_KEY");
  expect(String(errors.mock.calls[0]?.[0])).not.toContain("s3cr3t");
  errors.mockRestore();
});

test("rate limits are on, off, or a mistake that is told by name", () => {
  expect(configOf({ ...env, KELPIE_RATE_LIMITS: "" }).rateLimits).toBe(true);
  expect(configOf({ ...env, KELPIE_RATE_LIMITS: "off" }).rateLimits).toBe(false);
  expect(() => configOf({ ...env, KELPIE_RATE_LIMITS: "none" })).toThrow(/KELPIE_RATE_LIMITS/);
});
