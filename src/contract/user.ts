import { z } from "zod";
import { limits } from "./limits.ts";
import { text } from "./text.ts";

const Name = text(limits.nameChars).min(1);

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
