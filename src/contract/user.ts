import { z } from "zod";

const Name = z.string().min(1).max(128);

export const User = z.object({ id: z.string(), username: z.string(), created: z.iso.datetime() });
export type User = z.infer<typeof User>;
export const NewUser = z.object({ username: Name });
export type NewUser = z.infer<typeof NewUser>;
/** A token is bound to one organization and project of SaladCloud. */
export const NewToken = z.object({ org_name: Name, project_name: Name });
export type NewToken = z.infer<typeof NewToken>;
/** The token itself is told once; the API keeps only its hash. */
export const Token = z.object({ token: z.string() });
export type Token = z.infer<typeof Token>;
