import type { Bindings } from "../env.ts";

interface Identity {
  userId: string;
  /** The organization and project of SaladCloud that the credential is bound to; the admin has none. */
  orgName?: string;
  projectName?: string;
  /** When the credential ends, of a token that does; milliseconds since the epoch. */
  expiresMs?: number;
}

/** Whom a request speaks for: the admin, a person or script of an organization, or a node of one container group. */
export type Principal = Identity &
  (
    | { role: "admin" | "user" }
    /** `machineId`: where the credential names the machine, as SaladCloud's do. */
    | { role: "node"; containerGroupId: string; machineId?: string }
  );

/** What Hono's context carries; `principal` is set on every route behind `authenticate`. */
export interface AppEnv {
  Bindings: Bindings;
  Variables: {
    principal: Principal;
    /** Names the credential without telling it: a hash, or the machine of a node of SaladCloud. What is counted per credential is counted by it. */
    credential: string;
    /** What `readJson` has read. */
    bodyText?: string;
  };
}

/** Whose jobs the principal sees: a user id, or `null` for everybody's. */
export function visibleUserId(principal: Principal): string | null {
  return principal.role === "admin" ? null : principal.userId;
}
