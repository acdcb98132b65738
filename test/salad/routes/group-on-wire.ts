import type { Cloud } from "../cloud.ts";
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
  const states = cloud.instances.of(group).map((instance) => cloud.instances.stateOf(instance));
  const count = (...wanted: string[]) => states.filter((state) => wanted.includes(state)).length;
  return {
    status: statusOf(cloud, group, count("running")),
    // There is no count of its own for those that download.
    instance_status_counts: {
      allocating_count: count("allocating"),
      creating_count: count("downloading", "creating"),
      running_count: count("running"),
      stopping_count: count("stopping"),
    },
    start_time: iso(group.startedMs),
    finish_time: iso(group.stoppedMs),
  };
}

/** `stopped` also while instances still run: a stop takes time to spread. */
function statusOf(cloud: Cloud, group: Group, running: number) {
  if (group.stopped) return "stopped";
  if (!cloud.instances.isPrepared(group)) return "pending";
  return running > 0 ? "running" : "deploying";
}
