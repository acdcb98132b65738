/**
 * The calls of Salad's public API that we make. It addresses by name; ids are in what it answers. It takes 240 requests a minute from each
 * key, so callers cache.
 */
import { z } from "zod";
import { limits } from "../contract/index.ts";
import type { SaladAnswer } from "./answer.ts";
import { getFromSalad, type SaladAccess } from "./call.ts";
import { isSaladName } from "./names.ts";

export type { SaladAnswer, SaladRefusal } from "./answer.ts";
export type { SaladAccess } from "./call.ts";

/** A container group, as far as we read it. */
export interface SaladGroup {
  /** A UUID: the `container_group_id` of jobs and rules. */
  id: string;
  name: string;
  /** How many instances are wanted, 0 to 500. */
  replicas: number;
  /** `pending`, `running`, `stopped`, `succeeded`, `failed` or `deploying`, and what Salad may add. */
  status: string;
}

/** What we do not read may be missing or new. */
const Group = z
  .object({
    id: z.string().min(1).max(limits.idChars),
    name: z.string().min(1).max(limits.nameChars),
    replicas: z.int().min(0),
    current_state: z.object({ status: z.string().max(limits.nameChars) }),
  })
  .transform(
    ({ id, name, replicas, current_state }): SaladGroup => ({
      id,
      name,
      replicas,
      status: current_state.status,
    }),
  );

/** Salad documents 100 at most and has no pages. */
const GroupList = z.object({ items: z.array(Group).max(1000) });

/** All groups of a project. That it answers at all tells that the key reaches this organization and project. */
export async function listGroups(
  salad: SaladAccess,
  organization: string,
  project: string,
): Promise<SaladAnswer<SaladGroup[]>> {
  const path = groupsPath(organization, project);
  if (path === null) return noSuchName;
  const answer = await getFromSalad(salad, path, GroupList);
  return answer.ok ? { ok: true, value: answer.value.items } : answer;
}

export async function getGroup(
  salad: SaladAccess,
  organization: string,
  project: string,
  groupName: string,
): Promise<SaladAnswer<SaladGroup>> {
  const path = groupsPath(organization, project);
  if (path === null || !isSaladName(groupName)) return noSuchName;
  return await getFromSalad(salad, `${path}/${groupName}`, Group);
}

const noSuchName = { ok: false, reason: "refused", detail: "not a name on SaladCloud" } as const;

/** `null` when one of the names is none. */
function groupsPath(organization: string, project: string): string | null {
  if (!isSaladName(organization) || !isSaladName(project)) return null;
  return `/organizations/${organization}/projects/${project}/containers`;
}
