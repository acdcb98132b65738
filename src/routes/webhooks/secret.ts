/** The secret that signs a user's webhooks: made or rotated, shown once, and since when there is one. */
import { createRoute } from "@hono/zod-openapi";
import { WebhookSecret, WebhookSecretState } from "../../contract/index.ts";
import { prepare } from "../../db/prepare.ts";
import { readSecretNonces, rotateSecretNonce } from "../../db/users/webhook-secret.ts";
import { hexOf } from "../../domain/hex.ts";
import { configOf } from "../../env.ts";
import { ApiError } from "../../middleware/api-error.ts";
import { type SecretNonces, secretBytes, secretText } from "../../webhooks/secret.ts";
import { answer, operation, refusals } from "../operation.ts";
import { presentSecretState } from "./present.ts";

const common = {
  path: "/users/me/webhook-secret",
  tags: ["Webhooks"],
  access: "people" as const,
};

const rotation = createRoute({
  ...common,
  method: "post",
  summary: "Make the secret that signs webhooks, or a new one; it is told once",
  description:
    "The one before signs too for 24 h: `webhook-signature` has both. Rotated again within that, the oldest no longer counts.",
  responses: { 201: answer(WebhookSecret, "The secret"), ...refusals(403, 404) },
});

export const rotateWebhookSecret = operation(rotation, async (c) => {
  const { signingKey } = configOf(c.env);
  if (signingKey === null) {
    throw new ApiError("forbidden", {
      problem: "this deployment has no KELPIE_SIGNING_KEY: it signs nothing",
    });
  }
  const { userId } = c.var.principal;
  const nonce = hexOf(crypto.getRandomValues(new Uint8Array(16)));
  const nowMs = Date.now();
  const user = await prepare(c.env.DB, rotateSecretNonce(userId, nonce, nowMs)).first<SecretNonces>();
  if (!user) throw new ApiError("not_found", { what: "user" });
  const secret = secretText(await secretBytes(signingKey, userId, nonce));
  return c.json({ secret, ...presentSecretState(user, nowMs) }, 201);
});

const state = createRoute({
  ...common,
  method: "get",
  summary: "Whether webhooks are signed, and since when with this secret",
  responses: { 200: answer(WebhookSecretState, "Not the secret itself"), ...refusals(404) },
});

export const getWebhookSecret = operation(state, async (c) => {
  const user = await prepare(c.env.DB, readSecretNonces(c.var.principal.userId)).first<SecretNonces>();
  if (!user) throw new ApiError("not_found", { what: "user" });
  return c.json(presentSecretState(user, Date.now()), 200);
});
