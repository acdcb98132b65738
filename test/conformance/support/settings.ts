/** What the suite knows of the API under test: handed in from outside (tools/conformance), so that any base URL will do. */
import { inject } from "vitest";

export interface Settings {
  /** Without a final slash. */
  url: string;
  adminKey: string;
  /** Two users of this run, who share no queue but may use the same group ids. */
  alice: Account;
  bob: Account;
  /** Whether routes that clear everything may be called: the deployment holds nobody's data. */
  destructive: boolean;
  /** Whether the API can reach a receiver on this machine. */
  reachesUs: boolean;
  /** SaladCloud as the API sees it; null: none that the suite may use. */
  salad: SaladSettings | null;
  /** `/openapi.json` as the API serves it; null: it serves none. */
  openapi: OpenApiDocument | null;
}

export interface Account {
  id: string;
  username: string;
  key: string;
}

/** What there is on the simulated SaladCloud. The suite only speaks HTTP with it. */
export interface SaladSettings {
  /** Its controls are below /control, the metadata services of its nodes below /imds. */
  url: string;
  organization: string;
  project: string;
  apiKey: string;
  otherProject: string;
  otherOrganization: string;
  otherApiKey: string;
}

export interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, unknown>>;
  components?: unknown;
}

declare module "vitest" {
  interface ProvidedContext {
    conformance: Settings;
  }
}

export const settings = inject("conformance");
