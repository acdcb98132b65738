/** The simulated SaladCloud as tests on workerd reach it: over HTTP, each test with an organization of its own. */
import { env } from "cloudflare:workers";
import { controlsAt } from "../../salad/controls.ts";

export const salad = controlsAt(env.SIMULATED_SALAD_URL);

/** Files of tests run side by side against the one SaladCloud. */
export const newOrganizationName = () => `org-${crypto.randomUUID().slice(0, 13)}`;

/** An organization with a key of its own that reaches all of it. */
export async function newOrganization(
  projects = ["default"],
): Promise<{ name: string; key: string; id: string }> {
  const name = newOrganizationName();
  const key = `key-of-${name}`;
  const { id } = await salad.addOrganization({ name, projects, keys: [key] });
  return { name, key, id };
}

/** Lets the deployment's own key reach it. */
export async function reachByDeployment(organization: string, projects?: string[]): Promise<void> {
  const reach = [{ organization, ...(projects ? { projects } : {}) }];
  await salad.addKey({ key: env.SALAD_API_KEY, reach });
}

/** What was asked about that organization, oldest first. */
export async function requestsAbout(organization: string) {
  const seen = await salad.listRequests();
  return seen.filter(({ path }) => path.includes(`/${organization}/`));
}
