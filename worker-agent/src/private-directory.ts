import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

/** A directory of one attempt's own, for what is between the agent and the command; outside of every rule's directory. */
export interface PrivateDirectory {
  path: string;
  remove(): Promise<void>;
}

/** Made in the first of these directories where that is possible. @throws the error of the last one. */
export async function makePrivateDirectory(candidates: string[]): Promise<PrivateDirectory> {
  let failure: unknown = new Error("there is no place for a directory");
  for (const candidate of candidates) {
    try {
      const path = await mkdtemp(join(candidate, "kelpie-"));
      return { path, remove: () => rm(path, { recursive: true, force: true }) };
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}
