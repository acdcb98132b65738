/**
 * The calls of Salad's public API that we make. It addresses by name; ids are in what it answers. It takes 240 requests a minute from each
 * key, so callers cache, or ask the budget first (src/scaling).
 */
import { z } from "zod";
import { limits } from "../contract/index.ts";
import type { SaladAnswer } from "./answer.ts";
import { changeAtSalad, getFromSalad, type SaladAccess } from "./call.ts";
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
  /** By state; null: not told. Salad has no count of those that download. */
  instances: SaladInstanceCounts | null;
}

export interface SaladInstanceCounts {
  allocating: number;
  creating: number;
  running: number;
  stopping: number;
}

/** One run of the container on one machine. */
export interface SaladInstance {
  /** Of this run; `SALAD_INSTANCE_ID` in it. */
  id: string;
  /** Empty: it has no node yet. */
  machineId: string;
  /** `allocating`, `downloading`, `creating`, `running` or `stopping`, and what Salad may add. */
  state: string;
  /** The lowest is taken away first; null: not told. */
  deletionCost: number | null;
}

/** Replicas of an organization: those of stopped groups count. */
export interface SaladQuota {
  replicas: number;
  used: number;
}

const Count = z.int().min(0);

/** What we do not read may be missing or new. */
const Group = z
  .object({
    id: z.string().min(1).max(limits.idChars),
    name: z.string().min(1).max(limits.nameChars),
    replicas: Count,
    current_state: z.object({
      status: z.string().max(limits.nameChars),
      instance_status_counts: z
        .object({
          allocating_count: Count,
          creating_count: Count,
          running_count: Count,
          stopping_count: Count,
        })
        .transform(
          (counts): SaladInstanceCounts => ({
            allocating: counts.allocating_count,
            creating: counts.creating_count,
            running: counts.running_count,
            stopping: counts.stopping_count,
          }),
        )
        .nullish()
        // For people to read; nothing is decided by them.
        .catch(null),
    }),
  })
  .transform(
    ({ id, name, replicas, current_state }): SaladGroup => ({
      id,
      name,
      replicas,
      status: current_state.status,
      instances: current_state.instance_status_counts ?? null,
    }),
  );

/** Salad documents 100 at most and has no pages. */
const GroupList = z.object({ items: z.array(Group).max(1000) });

const Instance = z
  .object({
    id: z.string().min(1).max(limits.idChars),
    // Documented as always there; but what has no node yet can have none.
    machine_id: z.string().max(limits.idChars).nullish(),
    state: z.string().max(limits.nameChars),
    deletion_cost: z.int().nullish(),
  })
  .transform(
    ({ id, machine_id, state, deletion_cost }): SaladInstance => ({
      id,
      machineId: machine_id ?? "",
      state,
      deletionCost: deletion_cost ?? null,
    }),
  );

/** Salad documents 1,000 at most and has no pages. */
const InstanceList = z.object({ instances: z.array(Instance).max(5000) });

const Quotas = z
  .object({
    container_groups_quotas: z.object({ container_replicas_quota: Count, container_replicas_used: Count }),
  })
  .transform(
    ({ container_groups_quotas: quotas }): SaladQuota => ({
      replicas: quotas.container_replicas_quota,
      used: quotas.container_replicas_used,
    }),
  );

/** Where a group is: Salad's API addresses by name. */
export interface SaladPlace {
  organization: string;
  project: string;
  group: string;
}

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
  const path = groupPath({ organization, project, group: groupName });
  return path === null ? noSuchName : await getFromSalad(salad, path, Group);
}

export async function listInstances(
  salad: SaladAccess,
  place: SaladPlace,
): Promise<SaladAnswer<SaladInstance[]>> {
  const path = groupPath(place);
  if (path === null) return noSuchName;
  const answer = await getFromSalad(salad, `${path}/instances`, InstanceList);
  if (!answer.ok) return answer;
  // Instances are counted.
  const byId = new Map(answer.value.instances.map((instance) => [instance.id, instance]));
  return { ok: true, value: [...byId.values()] };
}

/** Of all that a PATCH may change, replicas alone restart nothing. */
export async function setReplicas(
  salad: SaladAccess,
  place: SaladPlace,
  replicas: number,
): Promise<SaladAnswer<null>> {
  const path = groupPath(place);
  return path === null ? noSuchName : await changeAtSalad(salad, "PATCH", path, { replicas });
}

/** Rejected: most likely it is not stopped. */
export async function startGroup(salad: SaladAccess, place: SaladPlace): Promise<SaladAnswer<null>> {
  const path = groupPath(place);
  return path === null ? noSuchName : await changeAtSalad(salad, "POST", `${path}/start`);
}

/** Ends all instances, within minutes. Rejected: most likely it is stopped already. */
export async function stopGroup(salad: SaladAccess, place: SaladPlace): Promise<SaladAnswer<null>> {
  const path = groupPath(place);
  return path === null ? noSuchName : await changeAtSalad(salad, "POST", `${path}/stop`);
}

/** Another node in place of that instance's, which is not this organization's for 48 hours. By the instance's id, never the machine's. */
export async function reallocateInstance(
  salad: SaladAccess,
  place: SaladPlace,
  instanceId: string,
): Promise<SaladAnswer<null>> {
  const path = groupPath(place);
  if (path === null) return noSuchName;
  return await changeAtSalad(salad, "POST", `${path}/instances/${encodeURIComponent(instanceId)}/reallocate`);
}

export async function readQuota(salad: SaladAccess, organization: string): Promise<SaladAnswer<SaladQuota>> {
  if (!isSaladName(organization)) return noSuchName;
  return await getFromSalad(salad, `/organizations/${organization}/quotas`, Quotas);
}

const noSuchName = { ok: false, reason: "refused", detail: "not a name on SaladCloud" } as const;

/** `null` when one of the names is none. */
function groupsPath(organization: string, project: string): string | null {
  if (!isSaladName(organization) || !isSaladName(project)) return null;
  return `/organizations/${organization}/projects/${project}/containers`;
}

/** `null` when one of the names is none. */
function groupPath({ organization, project, group }: SaladPlace): string | null {
  const path = groupsPath(organization, project);
  return path === null || !isSaladName(group) ? null : `${path}/${group}`;
}
