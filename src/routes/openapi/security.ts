/** The credentials of the API as the document tells them, and which of them a route takes. Derived from the route's declared access. */
import type { Access } from "../../middleware/access.ts";

const header = (name: string, description: string) => ({ type: "apiKey", in: "header", name, description });

export const securitySchemes = {
  KelpieKey: header(
    "X-Kelpie-Key",
    "The admin's key, or a token of a user or node. Wins over all other credentials",
  ),
  SaladApiKey: header("Salad-Api-Key", "A key of the Salad API, together with the two headers that follow"),
  SaladOrganization: header("Salad-Organization", "Name of the organization on SaladCloud"),
  SaladProject: header("Salad-Project", "Name of the project on SaladCloud"),
  NodeToken: {
    type: "http",
    scheme: "bearer",
    bearerFormat: "JWT",
    description: "The token of a node's metadata service (IMDS), together with Salad-Project",
  },
};

/** One of these, each with all its schemes. */
type Requirement = Partial<Record<keyof typeof securitySchemes, string[]>>;

const key: Requirement = { KelpieKey: [] };
const saladKey: Requirement = { SaladApiKey: [], SaladOrganization: [], SaladProject: [] };
const node: Requirement = { NodeToken: [], SaladProject: [] };

const requirements: Record<Access, Requirement[]> = {
  anyone: [],
  admin: [key],
  people: [key, saladKey],
  agents: [key, saladKey, node],
};

export function securityOf(access: Access): Requirement[] {
  return requirements[access];
}
