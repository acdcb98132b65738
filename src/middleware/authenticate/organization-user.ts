/** The user of an organization of SaladCloud: the one named like it, made by the first credential of it that was verified. */
import type { Context } from "hono";
import { prepare } from "../../db/prepare.ts";
import {
  admin,
  insertUser,
  type NamedUserRecord,
  readUserNamed,
  tieToOrganization,
} from "../../db/users/users.ts";
import { ExpiringCache } from "../../domain/expiring-cache.ts";
import type { AppEnv } from "../app-env.ts";

interface OrganizationUser {
  id: string;
  organizationId: string | null;
}

/** As long as a token that is known: after the admin removed all users, other isolates speak for the old ones no longer than that. */
const knownMs = 60_000;
const users = new ExpiringCache<OrganizationUser>(10_000);

/** Call it with names that a verified credential has told, and no others: it makes users. */
export async function userIdOfOrganization(c: Context<AppEnv>, organization: string): Promise<string> {
  return (await userOf(c, organization)).id;
}

/** The same, of an organization whose id is known too; `null` when the user is tied to another one of that name. */
export async function userIdOfTiedOrganization(
  c: Context<AppEnv>,
  organization: string,
  organizationId: string,
): Promise<string | null> {
  let user = await userOf(c, organization);
  if (user.organizationId === null) {
    await prepare(c.env.DB, tieToOrganization(user.id, organizationId)).run();
    // Whoever was first has tied it, which need not have been us.
    users.delete(organization);
    user = await userOf(c, organization);
  }
  return user.organizationId === organizationId ? user.id : null;
}

/** Makes this isolate look users up again. */
export function forgetOrganizationUsers(): void {
  users.clear();
}

async function userOf(c: Context<AppEnv>, organization: string): Promise<OrganizationUser> {
  const nowMs = Date.now();
  const known = users.get(organization, nowMs);
  if (known) return known;
  const found = await findOrMake(c.env.DB, usernameOf(organization), nowMs);
  const user = { id: found.id, organizationId: found.organization_id };
  users.set(organization, user, nowMs + knownMs);
  return user;
}

/** The name `admin` is the deployment's own; organizations have no space in theirs, so nobody else is called that. */
function usernameOf(organization: string): string {
  return organization === admin.username ? `organization ${organization}` : organization;
}

async function findOrMake(db: D1Database, username: string, createdMs: number): Promise<NamedUserRecord> {
  const read = prepare(db, readUserNamed(username));
  const found = await read.first<NamedUserRecord>();
  if (found) return found;
  // Two first requests at once: one inserts, both read what is there.
  const [, made] = await db.batch<NamedUserRecord>([
    prepare(db, insertUser({ id: crypto.randomUUID(), username, createdMs })),
    read,
  ]);
  const user = made?.results[0];
  if (!user) throw new Error("the user of an organization was neither there nor made");
  return user;
}
