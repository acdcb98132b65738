/** Scaling rules need a container group that SaladCloud knows. */
import { type Answer, call } from "./call.ts";
import { createGroup, type SaladGroup, saladKey } from "./salad.ts";
import type { SaladSettings } from "./settings.ts";
import type { ScalingRule } from "./wire.ts";

export interface Rules {
  headers: Record<string, string>;
  group: SaladGroup;
  create(fields?: Record<string, unknown>): Promise<Answer<ScalingRule>>;
  patch(fields: unknown): Promise<Answer<ScalingRule>>;
  get(): Promise<Answer<ScalingRule>>;
  list(): Promise<Answer<{ _count: number; rules: ScalingRule[] }>>;
  remove(): Promise<Answer<unknown>>;
}

/** Of a new group, asked with the organization's Salad key. */
export async function openRules(salad: SaladSettings): Promise<Rules> {
  const { apiKey, organization, project } = salad;
  const headers = saladKey(apiKey, organization, project);
  const group = await createGroup(salad);
  const path = `/scaling-rules/${group.id}`;
  const plain = { min_replicas: 0, max_replicas: 5, idle_threshold_seconds: 60 };
  return {
    headers,
    group,
    create: (fields = {}) =>
      call("POST", "/scaling-rules", {
        headers,
        body: { container_group_id: group.id, ...plain, ...fields },
      }),
    patch: (fields) => call("PATCH", path, { headers, body: fields }),
    get: () => call("GET", path, { headers }),
    list: () => call("GET", "/scaling-rules", { headers }),
    remove: () => call("DELETE", path, { headers }),
  };
}
