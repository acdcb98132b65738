import type { Cloud } from "../cloud.ts";
import { countsOf, statusOf } from "../group-calls.ts";
import type { Group } from "../groups.ts";

const iso = (ms: number) => new Date(ms).toISOString();

/** A group as the public API shows it. */
export function groupOnWire(cloud: Cloud, group: Group) {
  const { container } = group;
  return {
    id: group.id,
    name: group.name,
    display_name: group.displayName,
    organization_name: group.organization,
    project_name: group.project,
    container: {
      command: container.command ?? null,
      environment_variables: container.environment_variables ?? {},
      image: container.image,
      resources: { gpu_classes: [], ...container.resources },
    },
    autostart_policy: group.autostart,
    restart_policy: group.restartPolicy,
    replicas: group.replicas,
    country_codes: group.countryCodes,
    priority: group.priority,
    pending_change: false,
    "scheduled-scaling-enabled": false,
    "scaling-actions": [],
    version: group.version,
    create_time: iso(group.createdMs),
    update_time: iso(group.updatedMs),
    current_state: stateOf(cloud, group),
  };
}

function stateOf(cloud: Cloud, group: Group) {
  const { allocating, creating, running, stopping } = countsOf(cloud, group);
  return {
    status: statusOf(cloud, group),
    instance_status_counts: {
      allocating_count: allocating,
      creating_count: creating,
      running_count: running,
      stopping_count: stopping,
    },
    start_time: iso(group.startedMs),
    finish_time: iso(group.stoppedMs),
  };
}
