/** SaladCloud for the local run: the simulated one, with what the suite needs on it, and a way to steer it. */
import type { SaladSettings } from "../../test/conformance/support/settings.ts";

export interface Salad {
  settings: SaladSettings;
  /** Of the API: where it finds SaladCloud. */
  vars: Record<string, string>;
  stop(): Promise<void>;
}

export async function startSalad(): Promise<Salad | null> {
  return null;
}
