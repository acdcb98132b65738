/** What vitest.config.ts adds to the bindings for tests. */
declare namespace Cloudflare {
  interface Env {
    TEST_MIGRATIONS: import("cloudflare:test").D1Migration[];
    KELPIE_ADMIN_KEY: string;
    KELPIE_SIGNING_KEY: string;
    SALAD_API_URL: string;
    SALAD_JWKS_URL: string;
    SALAD_API_KEY: string;
    /** Where `controlsAt` (test/salad/controls.ts) finds the simulated SaladCloud. */
    SIMULATED_SALAD_URL: string;
  }
  /** Types `exports.default`. */
  interface GlobalProps {
    mainModule: typeof import("../../src/index.ts");
  }
}
