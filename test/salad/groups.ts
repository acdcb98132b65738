/** Container groups: what was asked for. What runs of it: instances.ts. */
import { randomUUID } from "node:crypto";
import { z } from "zod";

const Command = z.array(z.string().min(1).max(1000)).max(100).nullable();
const Environment = z.record(z.string(), z.string().min(1).max(1000));
const Priority = z.enum(["high", "medium", "low", "batch"]);
const Replicas = z.int().min(0).max(500);
const DisplayName = z
  .string()
  .min(2)
  .max(63)
  .regex(/^[ ,-.0-9A-Za-z]+$/);
const CountryCodes = z
  .array(z.string().regex(/^[a-z]{2}$/))
  .min(1)
  .max(500);
const resources = {
  cpu: z.int().min(1).max(1024),
  memory: z.int().min(1024).max(1_073_741_824),
  gpu_classes: z.array(z.uuid()).max(100),
  storage_amount: z.int().min(1_073_741_824).max(1_125_899_906_842_624),
  shm_size: z.int().min(64).max(1_073_741_824),
};

/** Documented fields that change what a group does, and that this simulation does not know. */
const notSimulated = [
  ...["networking", "liveness_probe", "readiness_probe", "startup_probe"],
  ...["queue_autoscaler", "queue_connection", "scaling-actions", "scheduled-scaling-enabled"],
];
/** Said rather than ignored: a test would take silence for an effect. */
const noneOf = (names: string[]) =>
  Object.fromEntries(
    names.map((name) => [name, z.undefined({ error: `${name} is not simulated` }).optional()]),
  );

const newName = z.string().regex(/^[a-z][a-z0-9-]{0,61}[a-z0-9]$/);

export const NewGroup = z.object({
  ...noneOf(notSimulated),
  autostart_policy: z.boolean(),
  container: z.object({
    command: Command.optional(),
    environment_variables: Environment.optional(),
    image: z.string().min(1).max(2048),
    priority: Priority.nullish(),
    resources: z.object(resources).partial().required({ cpu: true, memory: true }),
  }),
  country_codes: CountryCodes.optional(),
  display_name: DisplayName.optional(),
  name: newName,
  replicas: Replicas,
  restart_policy: z.enum(["always", "on_failure", "never"]),
});
export type NewGroup = z.infer<typeof NewGroup>;

export const GroupPatch = z.object({
  ...noneOf([...notSimulated, "name", "restart_policy", "autostart_policy"]),
  container: z
    .object({
      command: Command,
      environment_variables: Environment,
      image: z.string().min(1).max(1024).nullable(),
      priority: Priority.nullable(),
      resources: z.object(resources).partial().nullable(),
    })
    .partial()
    .nullable()
    .optional(),
  country_codes: CountryCodes.nullable().optional(),
  display_name: DisplayName.nullable().optional(),
  replicas: Replicas.nullable().optional(),
});
export type GroupPatch = z.infer<typeof GroupPatch>;

export interface Group {
  id: string;
  organization: string;
  project: string;
  name: string;
  displayName: string;
  container: Omit<NewGroup["container"], "priority">;
  priority: z.infer<typeof Priority>;
  countryCodes: string[];
  replicas: number;
  autostart: boolean;
  restartPolicy: NewGroup["restart_policy"];
  stopped: boolean;
  /** Rises with each change that restarts the instances. */
  version: number;
  createdMs: number;
  updatedMs: number;
  /** Of the last start; of the creation before the first. */
  startedMs: number;
  /** When its image is stored, after that start. */
  preparedMs: number;
  stoppedMs: number;
}

/** Without a GPU it is always batch; with one Salad does not document what it is unless told. */
function usualPriority({ gpu_classes }: NewGroup["container"]["resources"]): Group["priority"] {
  return gpu_classes && gpu_classes.length > 0 ? "high" : "batch";
}

export class Groups {
  readonly #groups: Group[] = [];
  readonly #preparingMs: () => number;

  /** `preparingMs`: from a start until the image is stored; asked for each. (Default: at once.) */
  constructor(preparingMs: () => number = () => 0) {
    this.#preparingMs = preparingMs;
  }

  all(): readonly Group[] {
    return this.#groups;
  }

  ofProject(organization: string, project: string): Group[] {
    return this.#groups.filter((group) => group.organization === organization && group.project === project);
  }

  find(organization: string, project: string, name: string): Group | undefined {
    return this.ofProject(organization, project).find((group) => group.name === name);
  }

  byId(id: string): Group | undefined {
    return this.#groups.find((group) => group.id === id);
  }

  /** Of an organization; those of stopped groups count. */
  replicasUsed(organization: string): number {
    return this.#groups
      .filter((group) => group.organization === organization)
      .reduce((sum, { replicas }) => sum + replicas, 0);
  }

  create(organization: string, project: string, given: NewGroup, nowMs: number, id?: string): Group {
    const { priority, ...container } = given.container;
    const group: Group = {
      id: id ?? randomUUID(),
      organization,
      project,
      name: given.name,
      displayName: given.display_name ?? given.name,
      container,
      priority: priority ?? usualPriority(container.resources),
      countryCodes: given.country_codes ?? [],
      replicas: given.replicas,
      autostart: given.autostart_policy,
      restartPolicy: given.restart_policy,
      stopped: !given.autostart_policy,
      version: 1,
      createdMs: nowMs,
      updatedMs: nowMs,
      startedMs: nowMs,
      preparedMs: nowMs + (given.autostart_policy ? this.#preparingMs() : 0),
      stoppedMs: nowMs,
    };
    this.#groups.push(group);
    return group;
  }

  patch(group: Group, patch: GroupPatch, nowMs: number): void {
    const { container: changes, country_codes, display_name, replicas } = patch;
    if (replicas != null) group.replicas = replicas;
    if (display_name !== undefined) group.displayName = display_name ?? group.name;
    if (country_codes !== undefined) group.countryCodes = country_codes ?? [];
    if (changes) {
      const { priority, resources, image, ...others } = changes;
      group.container = {
        ...group.container,
        ...others,
        ...(image ? { image } : {}),
        resources: { ...group.container.resources, ...resources },
      };
      if (priority !== undefined) group.priority = priority ?? usualPriority(group.container.resources);
      // Replicas and the display name restart nothing; a changed image, command or environment restarts every instance.
      group.version += 1;
    }
    group.updatedMs = nowMs;
  }

  start(group: Group, nowMs: number): void {
    group.stopped = false;
    group.startedMs = nowMs;
    group.preparedMs = nowMs + this.#preparingMs();
    group.updatedMs = nowMs;
  }

  stop(group: Group, nowMs: number): void {
    group.stopped = true;
    group.stoppedMs = nowMs;
    group.updatedMs = nowMs;
  }

  remove(group: Group): void {
    this.#groups.splice(this.#groups.indexOf(group), 1);
  }
}
