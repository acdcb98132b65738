import type { Cloud } from "./cloud.ts";
import type { Controls, Fault, NewOrganization, SeenRequest, TokenWish } from "./controls.ts";
import type { Group, NewGroup } from "./groups.ts";
import type { Instance } from "./instances.ts";

/** The controls (controls.ts) of that very cloud. */
export function controlsOf(cloud: Cloud, seen: SeenRequest[]) {
  return {
    addOrganization: (given: NewOrganization) => ({ id: cloud.accounts.add(given, cloud.nowMs()).id }),
    addKey: ({ key, reach }) => cloud.accounts.addKey(key, reach),
    revokeKey: ({ key }) => cloud.accounts.revokeKey(key),
    addGroup: ({ organization, project = "default", name, id, replicas = 0, stopped = false }) => {
      if (!cloud.accounts.organization(organization)?.projects.has(project)) {
        throw new Error(`there is no project ${organization}/${project}`);
      }
      const given = { ...plainGroup, name, replicas, autostart_policy: !stopped };
      return { id: cloud.groups.create(organization, project, given, cloud.nowMs(), id).id };
    },
    removeGroup: ({ id }) => cloud.groups.remove(existing(cloud.groups.byId(id), id)),
    listInstances: ({ organization }) =>
      cloud.groups
        .all()
        .filter((group) => group.organization === organization)
        .flatMap((group: Group) => cloud.instances.of(group))
        .map((instance: Instance) => ({
          id: instance.id,
          machineId: instance.machineId,
          groupId: instance.groupId,
          state: cloud.instances.stateOf(instance),
          deletionCost: instance.deletionCost,
        })),
    interruptInstance: ({ id }) => cloud.instances.interrupt(existing(cloud.instances.byId(id), id)),
    mintToken: (wish: TokenWish) => {
      const organization = existing(cloud.accounts.organization(wish.organization), wish.organization);
      return { jwt: cloud.tokens.mint(wish, organization.id, cloud.nowMs()) };
    },
    rotateSigningKeys: () => cloud.tokens.rotate(),
    addFault: (fault: Fault) => cloud.faults.add(fault),
    clearFaults: () => cloud.faults.clear(),
    listRequests: () => [...seen],
  } satisfies Controls;
}

const plainGroup: Omit<NewGroup, "name" | "replicas" | "autostart_policy"> = {
  container: { image: "example.com/image:1", resources: { cpu: 1, memory: 1024 } },
  restart_policy: "always",
};

function existing<T>(found: T | undefined, what: string): T {
  if (found === undefined) throw new Error(`there is no ${what}`);
  return found;
}
