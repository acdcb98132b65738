import { z } from "zod";
import { limits } from "./limits.ts";
import { text } from "./text.ts";
import { Time } from "./time.ts";

const Name = text(limits.nameChars).min(1);

export const User = z.object({
  id: z.string().describe("Id of the user"),
  username: z.string().describe("Name of the user; of an organization of SaladCloud its name"),
  created: Time.describe("When the user was made"),
});
export type User = z.infer<typeof User>;
export const NewUser = z.object({ username: Name.describe("Free name of the new user") });
export type NewUser = z.infer<typeof NewUser>;
/** A token is bound to one organization and project of SaladCloud. */
export const NewToken = z.object({
  org_name: Name.describe("Organization of SaladCloud that the token speaks for"),
  project_name: Name.describe("Project of SaladCloud that the token speaks for"),
});
export type NewToken = z.infer<typeof NewToken>;
/** The token itself is told once; the API keeps only its hash. */
export const Token = z.object({ token: z.string().describe("The value of `X-Kelpie-Key`; told this once") });
export type Token = z.infer<typeof Token>;
