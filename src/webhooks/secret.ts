/**
 * A user's secret for webhooks. D1 holds a nonce only; the secret is derived from it, the user and the deployment's key, so that
 * a copy of the database signs nothing.
 */

/** The one before a rotation signs as well for so long: time for a receiver to learn the new one. */
export const secretOverlapMs = 24 * 3_600_000;

/** Of a user's row. */
export interface SecretNonces {
  webhook_nonce: string | null;
  webhook_nonce_before: string | null;
  webhook_rotated: number | null;
}

/** The nonces whose secrets sign now, the newest first. */
export function signingNonces(user: SecretNonces, nowMs: number): string[] {
  if (user.webhook_nonce === null) return [];
  const beforeCounts = nowMs < (user.webhook_rotated ?? 0) + secretOverlapMs;
  return user.webhook_nonce_before !== null && beforeCounts
    ? [user.webhook_nonce, user.webhook_nonce_before]
    : [user.webhook_nonce];
}

/** 256 bits. The name in front keeps them apart from everything else that this key signs. */
export async function secretBytes(
  signingKey: string,
  userId: string,
  nonce: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const said = JSON.stringify(["kelpie-webhook-secret-1", userId, nonce]);
  return hmac(Uint8Array.from(new TextEncoder().encode(signingKey)), said);
}

/** As Standard Webhooks writes secrets. */
export function secretText(bytes: Uint8Array): string {
  return `whsec_${base64(bytes)}`;
}

export async function hmac(key: Uint8Array<ArrayBuffer>, said: string): Promise<Uint8Array<ArrayBuffer>> {
  const imported = await crypto.subtle.importKey("raw", key, { name: "HMAC", hash: "SHA-256" }, false, [
    "sign",
  ]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", imported, new TextEncoder().encode(said)));
}

export function base64(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes));
}
