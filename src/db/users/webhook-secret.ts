import type { Statement } from "../statement.ts";

const columns = "webhook_nonce, webhook_nonce_before, webhook_rotated";

/** `SecretNonces` (src/webhooks/secret.ts). Index: the key of users. */
export function readSecretNonces(userId: string): Statement {
  return { sql: `SELECT ${columns} FROM users WHERE id = ?1`, params: [userId] };
}

/** Makes the newest the one before, in one step: of two rotations at once neither is lost. Its row as it is then. Index: the key of users. */
export function rotateSecretNonce(userId: string, nonce: string, nowMs: number): Statement {
  return {
    sql: `UPDATE users SET webhook_nonce_before = webhook_nonce, webhook_nonce = ?2, webhook_rotated = ?3
          WHERE id = ?1 RETURNING ${columns}`,
    params: [userId, nonce, nowMs],
  };
}
