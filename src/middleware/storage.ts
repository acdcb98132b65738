import type { Context } from "hono";
import { configOf } from "../env.ts";
import { type Granter, granterOf } from "../storage/granter.ts";
import type { Stores } from "../storage/locate.ts";
import type { AppEnv } from "./app-env.ts";

/** Makes URLs that the client of this request can use. */
export function granterFor(c: Context<AppEnv>): Granter {
  return granterOf(configOf(c.env), new URL(c.req.url).origin);
}

/** Where names and bytes are kept. */
export function storesOf(c: Context<AppEnv>): Stores {
  return { db: c.env.DB, bucket: c.env.CHECKPOINTS };
}
