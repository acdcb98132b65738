/** The simulated SaladCloud behind the API under test: two organizations of this run, made over its controls. */
import type { SaladSettings } from "../../test/conformance/support/settings.ts";
import { controlsAt } from "../../test/salad/controls.ts";
import { SimulatedSalad } from "../../test/salad/simulated-salad.ts";

/** `SALAD_API_KEY` of the API under test: the autoscaler's. */
const deploymentKey = "deployment-key-of-the-conformance-suite";

export interface Salad {
  url: string;
  /** Of the API: where it finds SaladCloud. */
  vars: Record<string, string>;
  stop(): Promise<void>;
}

export async function startSalad(): Promise<Salad> {
  const salad = await SimulatedSalad.start();
  return {
    url: salad.url,
    vars: { SALAD_API_URL: salad.apiUrl, SALAD_JWKS_URL: salad.jwksUrl, SALAD_API_KEY: deploymentKey },
    stop: () => salad.stop(),
  };
}

/** What the suite needs on the one at that address. */
export async function introduceTo(url: string, run: string): Promise<SaladSettings> {
  const controls = controlsAt(url);
  const [organization, otherOrganization] = [`conformance-${run}`, `other-${run}`];
  const [apiKey, otherApiKey] = [`key-of-${organization}`, `key-of-${otherOrganization}`];
  const [project, otherProject] = ["first", "second"];
  await controls.addOrganization({ name: organization, projects: [project, otherProject], keys: [apiKey] });
  await controls.addOrganization({ name: otherOrganization, projects: [project], keys: [otherApiKey] });
  await controls.addKey({ key: deploymentKey, reach: [{ organization }] });
  return { url, organization, project, apiKey, otherProject, otherOrganization, otherApiKey };
}
