import { z } from "zod";
import { limits } from "./limits.ts";
import { Id, text } from "./text.ts";

const Name = text(limits.nameChars).min(1);

export const User = z.object({ id: z.string(), username: z.string(), created: z.iso.datetime() });
export type User = z.infer<typeof User>;
export const NewUser = z.object({ username: Name });
export type NewUser = z.infer<typeof NewUser>;

/**
 * - `user`: a person or script of the organization.
 * - `node`: a node of one container group: claims, renews, reports, moves files under a lease; nothing else.
 */
export const TokenRole = z.enum(["user", "node"]);
export type TokenRole = z.infer<typeof TokenRole>;

const ofToken = {
  name: Name.optional().describe("For people, in lists"),
  role: TokenRole.default("user"),
  container_group_id: Id.optional().describe(
    "The group of a node's token; required for one, and only for one",
  ),
  expires: z.iso
    .datetime({ offset: true })
    .optional()
    .describe("Worthless from then on; within ten years. Default: never"),
  expires_seconds: z
    .int()
    .min(1)
    .max(limits.tokenSeconds)
    .optional()
    .describe("The same, from now; not both"),
};

/** What the fields have to do with each other. */
function checkToken(
  { role, container_group_id, expires, expires_seconds }: z.infer<z.ZodObject<typeof ofToken>>,
  context: z.core.$RefinementCtx,
): void {
  const refuse = (field: string, message: string) =>
    context.addIssue({ code: "custom", path: [field], message });
  if (role === "node" && container_group_id === undefined) refuse("container_group_id", "is missing");
  // A token that looks as if it were confined must be.
  if (role === "user" && container_group_id !== undefined) {
    refuse("container_group_id", "is only for a token of the role node");
  }
  if (expires !== undefined && expires_seconds !== undefined) {
    refuse("expires_seconds", "and expires exclude each other");
  }
}

/** By the admin. A token is bound to one organization and project of SaladCloud. */
export const NewToken = z.object({ org_name: Name, project_name: Name, ...ofToken }).superRefine(checkToken);
export type NewToken = z.infer<typeof NewToken>;
/** For oneself: organization and project are those of the credential that asks. */
export const NewOwnToken = z.object(ofToken).superRefine(checkToken);
export type NewOwnToken = z.infer<typeof NewOwnToken>;

/** A token as lists show it: never the token. */
export const TokenInfo = z.object({
  id: z.string(),
  name: z.string().nullable(),
  role: TokenRole,
  container_group_id: z.string().nullable(),
  org_name: z.string(),
  project_name: z.string(),
  created: z.iso.datetime(),
  expires: z.iso.datetime().nullable(),
});
export type TokenInfo = z.infer<typeof TokenInfo>;
export const TokenList = z.object({ _count: z.int(), tokens: z.array(TokenInfo) });
export type TokenList = z.infer<typeof TokenList>;
/** The token itself is told once; the API keeps only its hash. */
export const Token = TokenInfo.extend({ token: z.string() });
export type Token = z.infer<typeof Token>;
