/** A node of SaladCloud by the token of its metadata service. The token is verified once; what is said beside it, each time. */
import type { Context } from "hono";
import { prepare } from "../../db/prepare.ts";
import { type ProjectRecord, readProjectOfGroup } from "../../db/salad/project-of-group.ts";
import { ExpiringCache } from "../../domain/expiring-cache.ts";
import { hexOf } from "../../domain/hex.ts";
import { configOf } from "../../env.ts";
import { NodeKeys } from "../../salad/node-keys.ts";
import { type NodeIdentity, verifyNodeToken } from "../../salad/node-token.ts";
import { ApiError } from "../api-error.ts";
import type { AppEnv } from "../app-env.ts";
import { log } from "../log.ts";
import { sha256 } from "../sha256.ts";
import { userIdOfTiedOrganization } from "./organization-user.ts";
import { maxKnown, type Verdict } from "./verdict.ts";

/** Salad's tokens live for five minutes; one that lives longer is verified again now and then. */
const knownMs = 10 * 60_000;
const projectKnownMs = 60_000;
const retryAfterSeconds = 5;

const nodes = new ExpiringCache<NodeIdentity>(maxKnown);
/** By user and group; `null`: Salad has not told. */
const projects = new ExpiringCache<{ name: string | null }>(maxKnown);
/** By address: one, but in tests. */
const keysAt = new Map<string, NodeKeys>();

export async function verdictOfNodeToken(
  c: Context<AppEnv>,
  token: string,
  project: string,
): Promise<Verdict> {
  const node = await nodeOf(c, token);
  if ("wrong" in node) return node;
  const { organizationName, organizationId, containerGroupId, machineId } = node;
  const userId = await userIdOfTiedOrganization(c, organizationName, organizationId);
  if (userId === null) return { wrong: "the user of this name belongs to another organization" };
  const known = await projectOf(c, userId, containerGroupId);
  if (known !== null && known !== project) return { wrong: "Salad-Project is not the project of this group" };
  return {
    principal: {
      userId,
      role: "node",
      orgName: organizationName,
      projectName: project,
      containerGroupId,
      machineId,
    },
    // A node has a new token every few minutes.
    credential: JSON.stringify([userId, machineId]),
  };
}

/** Makes this isolate look groups up again. */
export function forgetProjects(): void {
  projects.clear();
}

async function nodeOf(c: Context<AppEnv>, token: string): Promise<NodeIdentity | { wrong: string }> {
  const nowMs = Date.now();
  const hash = hexOf(await sha256(token));
  const known = nodes.get(hash, nowMs);
  if (known) return known;
  const ports = {
    nowMs,
    keep: (call: Promise<unknown>) => c.executionCtx.waitUntil(call),
    onFailure: (detail: string) => log("warning", "node_keys_unavailable", { detail }),
  };
  const keys = keysOf(configOf(c.env).salad.jwksUrl);
  const verdict = await verifyNodeToken(token, (kid) => keys.keyOf(kid, ports), nowMs);
  if (verdict.ok) {
    nodes.set(hash, verdict.node, Math.min(verdict.node.untilMs, nowMs + knownMs));
    return verdict.node;
  }
  if (verdict.reason === "invalid") return { wrong: `the token ${verdict.problem}` };
  const problem = "the keys that sign the tokens of nodes cannot be had just now";
  throw new ApiError("unavailable", { problem, retryAfterSeconds });
}

function keysOf(url: string): NodeKeys {
  const keys = keysAt.get(url) ?? new NodeKeys(url);
  keysAt.set(url, keys);
  return keys;
}

async function projectOf(c: Context<AppEnv>, userId: string, group: string): Promise<string | null> {
  const nowMs = Date.now();
  const place = JSON.stringify([userId, group]);
  const known = projects.get(place, nowMs);
  if (known) return known.name;
  const record = await prepare(c.env.DB, readProjectOfGroup(userId, group)).first<ProjectRecord>();
  const name = record?.project_name ?? null;
  projects.set(place, { name }, nowMs + projectKnownMs);
  return name;
}
