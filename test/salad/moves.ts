/** Reallocate, recreate, restart: by the public API and by IMDS, under one quota a minute for each organization and kind. */
import type { Cloud } from "./cloud.ts";
import type { Instance } from "./instances.ts";

export const moves = ["reallocate", "recreate", "restart"] as const;
export type Move = (typeof moves)[number];

/** False: the minute is full, and nothing happens. */
export function move(cloud: Cloud, how: Move, instance: Instance): boolean {
  const group = cloud.groups.byId(instance.groupId);
  const organization = group && cloud.accounts.organization(group.organization);
  if (!organization) throw new Error(`instance ${instance.id} is of no organization`);
  const name = `${organization.name} ${how}`;
  if (!cloud.moves.admit(name, organization.movesPerMinute, cloud.nowMs())) return false;
  cloud.instances[how](instance);
  return true;
}
