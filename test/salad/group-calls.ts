/** What may be asked of a group, and what it is told: the same over HTTP and in virtual time. */
import type { Cloud } from "./cloud.ts";
import type { Group, GroupPatch } from "./groups.ts";

/** Of the status 400. */
export type Refused = { refused: string } | null;

/** Whether the organization's quota has room for that many more. */
export function hasRoom(cloud: Cloud, organization: string, more: number): boolean {
  const quota = cloud.accounts.organization(organization)?.replicasQuota ?? 0;
  return cloud.groups.replicasUsed(organization) + more <= quota;
}
export const overQuota = "the organization's quota of replicas is exceeded";

export function patchGroup(cloud: Cloud, group: Group, patch: GroupPatch): Refused {
  const more = (patch.replicas ?? group.replicas) - group.replicas;
  if (more > 0 && !hasRoom(cloud, group.organization, more)) return { refused: overQuota };
  cloud.groups.patch(group, patch, cloud.nowMs());
  return null;
}

/** What Salad does with a start of what runs is not documented; a refusal is the harder case for a caller. */
export function startGroup(cloud: Cloud, group: Group): Refused {
  if (!group.stopped) return { refused: "the group is not stopped" };
  cloud.groups.start(group, cloud.nowMs());
  return null;
}

export function stopGroup(cloud: Cloud, group: Group): Refused {
  if (group.stopped) return { refused: "the group is stopped" };
  cloud.groups.stop(group, cloud.nowMs());
  return null;
}

/** There is no count of its own for those that download. */
export function countsOf(cloud: Cloud, group: Group) {
  const states = cloud.instances.of(group).map((instance) => cloud.instances.stateOf(instance));
  const count = (...wanted: string[]) => states.filter((state) => wanted.includes(state)).length;
  return {
    allocating: count("allocating"),
    creating: count("downloading", "creating"),
    running: count("running"),
    stopping: count("stopping"),
  };
}

/** `stopped` also while instances still run: a stop takes time to spread. */
export function statusOf(cloud: Cloud, group: Group): "stopped" | "pending" | "running" | "deploying" {
  if (group.stopped) return "stopped";
  if (!cloud.instances.isPrepared(group)) return "pending";
  return countsOf(cloud, group).running > 0 ? "running" : "deploying";
}
