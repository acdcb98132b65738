/** An API of the fuzz's own, and behind it a simulated SaladCloud with groups for the scaling rules. */
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SimulatedSalad } from "../../test/salad/simulated-salad.ts";
import { localAdminKey, startLocalApi } from "../local-api.ts";
import { makeTemporaryDirectory } from "../processes/temporary-directory.ts";
import { place } from "./place.ts";

export interface FuzzStage {
  url: string;
  adminKey: string;
  /** Ids of container groups that are there. */
  groups: string[];
  stop(): Promise<void>;
}

/** Some have a rule, some have none, at any time. */
const groupCount = 12;

export async function startFuzzStage(adminKey = localAdminKey): Promise<FuzzStage> {
  const state = makeTemporaryDirectory(join(tmpdir(), "kelpie-fuzz-"));
  const closing: (() => unknown)[] = [() => state.remove()];
  const stop = async () => {
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    const salad = await SimulatedSalad.start();
    closing.push(() => salad.stop());
    const { organization, project } = place;
    const key = "key-of-fuzz";
    salad.controls.addOrganization({ name: organization, projects: [project], keys: [key] });
    const groups = Array.from(
      { length: groupCount },
      (_, index) => salad.controls.addGroup({ organization, project, name: `fuzz-group-${index}` }).id,
    );
    const vars = { SALAD_API_URL: salad.apiUrl, SALAD_JWKS_URL: salad.jwksUrl, SALAD_API_KEY: key };
    const api = await startLocalApi({
      persistTo: state.path,
      vars: { ...vars, KELPIE_ADMIN_KEY: adminKey },
    });
    closing.push(() => api.stop());
    return { url: api.url, adminKey, groups, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
