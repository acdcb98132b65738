/** The simulated SaladCloud, as far as the suite steers it: its controls, and the metadata service of its nodes. */
import { randomUUID } from "node:crypto";
import type { SaladSettings } from "./settings.ts";

async function steer<T>(salad: SaladSettings, control: string, given: unknown = {}): Promise<T> {
  const response = await fetch(`${salad.url}/control/${control}`, {
    method: "POST",
    body: JSON.stringify(given),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`the simulated SaladCloud: ${control}: ${response.status} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

export interface SaladGroup {
  id: string;
  name: string;
  organization: string;
}

/** A container group of the run's organization with one running instance. */
export async function createGroup(salad: SaladSettings, project = salad.project): Promise<SaladGroup> {
  const { organization } = salad;
  const name = `g-${randomUUID()}`;
  const { id } = await steer<{ id: string }>(salad, "addGroup", { organization, project, name, replicas: 1 });
  return { id, name, organization };
}

/** What was asked for of the group, and its status, as the public API shows them. */
export async function groupState(
  salad: SaladSettings,
  group: SaladGroup,
): Promise<{ replicas: number; status: string }> {
  const path = `/api/public/organizations/${group.organization}/projects/${salad.project}/containers/${group.name}`;
  const answer = await fetch(`${salad.url}${path}`, { headers: { "Salad-Api-Key": salad.apiKey } });
  const { replicas, current_state } = (await answer.json()) as {
    replicas: number;
    current_state: { status: string };
  };
  return { replicas, status: current_state.status };
}

export const removeGroup = (salad: SaladSettings, { id }: SaladGroup) =>
  steer<void>(salad, "removeGroup", { id });

export interface SaladNode {
  machineId: string;
  /** As its metadata service hands it out. */
  token: string;
  /** Address of its metadata service. */
  imdsUrl: string;
}

/** The group's instance. */
export async function nodeOf(salad: SaladSettings, group: SaladGroup): Promise<SaladNode> {
  const instances = await steer<{ id: string; machineId: string; groupId: string }[]>(
    salad,
    "listInstances",
    {
      organization: group.organization,
    },
  );
  const instance = instances.find(({ groupId }) => groupId === group.id);
  if (!instance) throw new Error(`group ${group.name} has no instance`);
  const imdsUrl = `${salad.url}/imds/${instance.id}`;
  const answer = await fetch(`${imdsUrl}/v1/token`, { headers: { Metadata: "true" } });
  const { jwt } = (await answer.json()) as { jwt: string };
  return { machineId: instance.machineId, token: jwt, imdsUrl };
}

/** What the node's metadata service was told last. */
export async function deletionCostOf({ imdsUrl }: SaladNode): Promise<number> {
  const answer = await fetch(`${imdsUrl}/v1/deletion-cost`, { headers: { Metadata: "true" } });
  return ((await answer.json()) as { deletion_cost: number }).deletion_cost;
}

/** Calls of the Salad API that came with this key so far. */
export async function callsWithKey(salad: SaladSettings, apiKey: string): Promise<number> {
  const requests = await steer<{ path: string; key: string | null }[]>(salad, "listRequests");
  return requests.filter(({ key }) => key === apiKey).length;
}

/** A further key that reaches the run's organization. */
export async function createApiKey(salad: SaladSettings): Promise<string> {
  const key = `key-${randomUUID()}`;
  await steer(salad, "addKey", { key, reach: [{ organization: salad.organization }] });
  return key;
}

/** A token with odd claims or an odd signature (test/salad/controls.ts, TokenWish). */
export async function mintToken(salad: SaladSettings, group: SaladGroup, wish: object): Promise<string> {
  const usual = { organization: group.organization, containerGroupId: group.id, machineId: randomUUID() };
  return (await steer<{ jwt: string }>(salad, "mintToken", { ...usual, ...wish })).jwt;
}

export const saladKey = (apiKey: string, organization: string, project: string) => ({
  "Salad-Api-Key": apiKey,
  "Salad-Organization": organization,
  "Salad-Project": project,
});

export const nodeIdentity = (token: string, project: string) => ({
  Authorization: `Bearer ${token}`,
  "Salad-Project": project,
});
