/** Users and their tokens; all but `me` for the admin alone. */
import { createRouter } from "../operation.ts";
import { clearAllUsers } from "./clear.ts";
import { createUser } from "./create.ts";
import { createToken } from "./create-token.ts";
import { getMe } from "./me.ts";
import { createOwnToken, listOwnTokens, revokeOwnToken } from "./own-tokens.ts";
import { listUserTokens, revokeUserToken } from "./user-tokens.ts";

// `me` before `:id`, which would else take it for an id.
export const users = createRouter().openapiRoutes([
  getMe,
  createOwnToken,
  listOwnTokens,
  revokeOwnToken,
  createUser,
  createToken,
  listUserTokens,
  revokeUserToken,
  clearAllUsers,
]);
