/** Users, their tokens; all but `me` for the admin alone. */
import { createRouter } from "../operation.ts";
import { clearAllUsers } from "./clear.ts";
import { createUser } from "./create.ts";
import { createToken } from "./create-token.ts";
import { getMe } from "./me.ts";

export const users = createRouter().openapiRoutes([getMe, createUser, createToken, clearAllUsers]);
