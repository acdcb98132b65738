/** Who exists on the simulated SaladCloud, and which key reaches whom. */
import { randomUUID } from "node:crypto";
import type { NewOrganization, Reach } from "./controls.ts";

export interface Organization {
  id: string;
  name: string;
  projects: Set<string>;
  replicasQuota: number;
  movesPerMinute: number;
  createdMs: number;
}

export class Accounts {
  readonly #organizations = new Map<string, Organization>();
  /** By key, then by organization; null: all of its projects. */
  readonly #reach = new Map<string, Map<string, Set<string> | null>>();

  add(given: NewOrganization, nowMs: number): Organization {
    if (this.#organizations.has(given.name)) throw new Error(`organization ${given.name} exists`);
    const organization: Organization = {
      id: given.id ?? randomUUID(),
      name: given.name,
      projects: new Set(given.projects ?? ["default"]),
      replicasQuota: given.replicasQuota ?? 100,
      movesPerMinute: given.movesPerMinute ?? 10,
      createdMs: nowMs,
    };
    this.#organizations.set(given.name, organization);
    for (const key of given.keys ?? []) this.addKey(key, [{ organization: given.name }]);
    return organization;
  }

  /** A key that is known already reaches further. */
  addKey(key: string, reach: Reach[]): void {
    const reached = this.#reach.get(key) ?? new Map();
    for (const { organization, projects } of reach) {
      reached.set(organization, projects ? new Set(projects) : null);
    }
    this.#reach.set(key, reached);
  }

  revokeKey(key: string): void {
    this.#reach.delete(key);
  }

  knows(key: string): boolean {
    return this.#reach.has(key);
  }

  organization(name: string): Organization | undefined {
    return this.#organizations.get(name);
  }

  /** Whether the key reaches something of the organization; with a project, that one. */
  reaches(key: string, organization: string, project?: string): boolean {
    const projects = this.#reach.get(key)?.get(organization);
    if (projects === undefined) return false;
    return project === undefined || projects === null || projects.has(project);
  }
}
