import type { Bindings } from "../env.ts";

/** Whom a request speaks for. */
export interface Principal {
  userId: string;
  role: "admin" | "user";
  /** The organization and project of SaladCloud that the credential is bound to; the admin has none. */
  orgName?: string;
  projectName?: string;
}

/** What Hono's context carries; `principal` is set on every route behind `authenticate`. */
export interface AppEnv {
  Bindings: Bindings;
  Variables: {
    principal: Principal;
    /** What `readJson` has read. */
    bodyText?: string;
  };
}

/** Whose jobs the principal sees: a user id, or `null` for everybody's. */
export function visibleUserId(principal: Principal): string | null {
  return principal.role === "admin" ? null : principal.userId;
}
