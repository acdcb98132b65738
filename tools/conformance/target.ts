/** The API under test, as `npm run conformance` hands it to the tests' process. */

export interface Target {
  /** Without a final slash. */
  url: string;
  adminKey: string;
  /** Routes that clear everything may be called. */
  destructive: boolean;
  /** Of the simulated SaladCloud behind it (scheme, host and port), where there is one. */
  saladUrl: string | null;
}

const names = {
  url: "KELPIE_CONFORMANCE_URL",
  adminKey: "KELPIE_CONFORMANCE_ADMIN_KEY",
  destructive: "KELPIE_CONFORMANCE_DESTRUCTIVE",
  saladUrl: "KELPIE_CONFORMANCE_SALAD_URL",
};

/** By environment, where no other user of the machine reads the key. */
export function targetEnv(target: Target): Record<string, string> {
  return {
    [names.url]: target.url,
    [names.adminKey]: target.adminKey,
    [names.destructive]: target.destructive ? "1" : "",
    [names.saladUrl]: target.saladUrl ?? "",
  };
}

/** Null: none is given, and one is to be started. */
export function readTarget(env: NodeJS.ProcessEnv): Target | null {
  const url = env[names.url];
  if (!url) return null;
  return {
    url,
    adminKey: env[names.adminKey] ?? "",
    destructive: env[names.destructive] === "1",
    saladUrl: env[names.saladUrl] || null,
  };
}
