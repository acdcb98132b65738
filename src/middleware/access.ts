/** Who may use a route, and what a node may say there. Every route declares its access; none has a default. */
import type { MiddlewareHandler } from "hono";
import { ApiError } from "./api-error.ts";
import type { AppEnv, Principal } from "./app-env.ts";

/**
 * - `anyone`: no credential is asked for.
 * - `people`: people and scripts of an organization, and the admin; no node.
 * - `agents`: nodes; also people's credentials, which the original's nodes carry.
 * - `admin`: the admin alone.
 */
export type Access = "anyone" | "people" | "agents" | "admin";

const roles: Record<Exclude<Access, "anyone">, readonly Principal["role"][]> = {
  people: ["user", "admin"],
  agents: ["node", "user", "admin"],
  admin: ["admin"],
};

const declared = new WeakMap<object, Access>();

/** What `allow` was told when it made this handler; `undefined` for any other handler. Tests find every route's access so. */
export function accessOf(handler: object): Access | undefined {
  return declared.get(handler);
}

/** 403 for who may not. Goes before anything of the request is read. */
export function allow(access: Access): MiddlewareHandler<AppEnv> {
  const handler = access === "anyone" ? pass : allowOnly(access);
  declared.set(handler, access);
  return handler;
}

const pass: MiddlewareHandler<AppEnv> = (_c, next) => next();

function allowOnly(access: Exclude<Access, "anyone">): MiddlewareHandler<AppEnv> {
  const allowed = roles[access];
  return (c, next) => {
    if (allowed.includes(c.var.principal.role)) return next();
    const problem = access === "admin" ? "only the admin may do this" : "a node may not do this";
    throw new ApiError("forbidden", { problem });
  };
}

/**
 * A node speaks for its own group, and where its credential names a machine, for that machine. Goes after the request's schemas:
 * what it compares is what the handler will use.
 */
export const asItself: MiddlewareHandler<AppEnv> = (c, next) => {
  const { principal } = c.var;
  if (principal.role !== "node") return next();
  const { machine_id, container_group_id } = {
    ...(c.req.valid("query" as never) as Said | undefined),
    ...(c.req.valid("json" as never) as Said | undefined),
  };
  if (container_group_id !== principal.containerGroupId) {
    throw new ApiError("forbidden", {
      problem: "container_group_id is not the group of this node's credential",
    });
  }
  if (principal.machineId !== undefined && machine_id !== principal.machineId) {
    throw new ApiError("forbidden", { problem: "machine_id is not the machine of this node's credential" });
  }
  return next();
};

interface Said {
  machine_id?: unknown;
  container_group_id?: unknown;
}
