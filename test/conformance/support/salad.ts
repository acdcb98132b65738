/** The simulated SaladCloud, as far as the suite steers it. */
import { randomUUID } from "node:crypto";
import type { SaladSettings } from "./settings.ts";

async function steer<T>(salad: SaladSettings, what: string, body: unknown): Promise<T> {
  const response = await fetch(`${salad.controlUrl}/${what}`, { method: "POST", body: JSON.stringify(body) });
  const text = await response.text();
  if (!response.ok) throw new Error(`the simulated SaladCloud: ${what}: ${response.status} ${text}`);
  return JSON.parse(text) as T;
}

export interface SaladGroup {
  id: string;
  name: string;
}

/** A container group of that organization and project, stopped, without replicas. */
export const createGroup = (salad: SaladSettings, organization: string, project: string) =>
  steer<SaladGroup>(salad, "groups", { organization, project, name: `g-${randomUUID()}` });

/** A node of a group, as its IMDS knows it; and the token that it gets there. */
export const createNode = (salad: SaladSettings, organization: string, project: string, group: SaladGroup) =>
  steer<{ machineId: string; token: string }>(salad, "nodes", { organization, project, group: group.name });

/** Calls of the Salad API that came with this key so far. */
export const callsWithKey = async (salad: SaladSettings, apiKey: string) =>
  (await steer<{ calls: number }>(salad, "calls", { apiKey })).calls;

/** A further key that reaches the organization. */
export const createApiKey = async (salad: SaladSettings, organization: string) =>
  (await steer<{ apiKey: string }>(salad, "keys", { organization })).apiKey;

export const saladKey = (apiKey: string, organization: string, project: string) => ({
  "Salad-Api-Key": apiKey,
  "Salad-Organization": organization,
  "Salad-Project": project,
});

export const nodeIdentity = (token: string, project: string) => ({
  Authorization: `Bearer ${token}`,
  "Salad-Project": project,
});
