/** Bindings and variables of the Worker. Variables are validated once per isolate; nothing else reads them raw. */
import { z } from "zod";

/** What `wrangler.toml`, secrets and `--var` put beside the generated bindings. */
export interface Vars {
  KELPIE_ADMIN_KEY?: string;
  KELPIE_SIGNING_KEY?: string;
  KELPIE_PRIVATE_WEBHOOKS?: string;
  R2_S3_ENDPOINT?: string;
  R2_BUCKET_NAME?: string;
  R2_ACCESS_KEY_ID?: string;
  R2_SECRET_ACCESS_KEY?: string;
  SALAD_API_URL?: string;
  SALAD_JWKS_URL?: string;
  SALAD_API_KEY?: string;
  KELPIE_RATE_LIMITS?: string;
}
export type Bindings = Env & Vars;

/** An empty variable counts as absent: `--var NAME:` is how one takes a default away. */
const absentWhenEmpty = (value: unknown) => (value === "" ? undefined : value);
const optional = (schema: z.ZodString | z.ZodURL) => z.preprocess(absentWhenEmpty, schema.optional());

/** An address that requests with secrets go to, without its final slash. */
const httpUrl = (fallback: string) =>
  z
    .preprocess(absentWhenEmpty, z.url({ protocol: /^https?$/ }).default(fallback))
    .transform((url) => url.replace(/\/+$/, ""));

/** All four or none: bytes go straight to the bucket only if every URL can be signed. */
const s3Vars = ["R2_S3_ENDPOINT", "R2_BUCKET_NAME", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY"] as const;

const ValidVars = z
  .object({
    /** Eight characters are no security, but they catch a truncated or mistyped secret. */
    KELPIE_ADMIN_KEY: optional(z.string().min(8)),
    /** Whoever guesses it writes anywhere in the bucket. */
    KELPIE_SIGNING_KEY: optional(z.string().min(16)),
    KELPIE_PRIVATE_WEBHOOKS: z.preprocess(absentWhenEmpty, z.enum(["allow", "refuse"]).default("refuse")),
    R2_S3_ENDPOINT: optional(z.url({ protocol: /^https?$/ })),
    R2_BUCKET_NAME: optional(z.string()),
    R2_ACCESS_KEY_ID: optional(z.string()),
    R2_SECRET_ACCESS_KEY: optional(z.string()),
    SALAD_API_URL: httpUrl("https://api.salad.com/api/public"),
    SALAD_JWKS_URL: httpUrl("https://matrix-rest-api.salad.com/.well-known/workload-jwks.json"),
    /** What no header could carry would fail at each call. */
    SALAD_API_KEY: optional(z.string().regex(/^[\x21-\x7e]+$/, { error: "must be printable ASCII" })),
    KELPIE_RATE_LIMITS: z.preprocess(absentWhenEmpty, z.enum(["on", "off"]).default("on")),
  })
  .superRefine((vars, context) => {
    const missing = s3Vars.filter((name) => vars[name] === undefined);
    if (missing.length === 0 || missing.length === s3Vars.length) return;
    for (const name of missing) {
      context.addIssue({
        code: "custom",
        path: [name],
        message: `is missing: ${s3Vars.join(", ")} go together`,
      });
    }
  });

/** The bucket's S3 side: URLs signed with these go straight to it. */
export interface S3Access {
  /** Without a final slash; bucket and key follow (path style). */
  endpoint: string;
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
}

export interface Config {
  /** The admin's `X-Kelpie-Key`; without one there is no admin. */
  adminKey: string | null;
  /** Signs the storage URLs that the API serves itself; the secrets of webhooks derive from it. */
  signingKey: string | null;
  /** Whether webhooks may go to private addresses and local names. */
  privateWebhooks: boolean;
  /** Goes before `signingKey`. With neither there is no managed storage. */
  s3: S3Access | null;
  salad: SaladConfig;
  /** Whether requests are counted, where there are bindings to count with. */
  rateLimits: boolean;
}

export interface SaladConfig {
  /** Salad's public API, without a final slash. */
  apiUrl: string;
  /** The keys that sign the tokens of nodes. */
  jwksUrl: string;
  /** For what the deployment itself asks of Salad; must reach each organization that has scaling rules. */
  apiKey: string | null;
}

const configs = new WeakMap<Bindings, Config>();

/** The validated configuration. Throws, naming the variable and never its value, when one is malformed. */
export function configOf(env: Bindings): Config {
  const known = configs.get(env);
  if (known) return known;
  const vars = ValidVars.safeParse(env);
  if (!vars.success) throw new Error(`Configuration: ${z.prettifyError(vars.error)}`);
  const config: Config = {
    adminKey: vars.data.KELPIE_ADMIN_KEY ?? null,
    signingKey: vars.data.KELPIE_SIGNING_KEY ?? null,
    privateWebhooks: vars.data.KELPIE_PRIVATE_WEBHOOKS === "allow",
    s3: s3Of(vars.data),
    salad: {
      apiUrl: vars.data.SALAD_API_URL,
      jwksUrl: vars.data.SALAD_JWKS_URL,
      apiKey: vars.data.SALAD_API_KEY ?? null,
    },
    rateLimits: vars.data.KELPIE_RATE_LIMITS === "on",
  };
  configs.set(env, config);
  return config;
}

/** Whether rules without bucket have somewhere to go. */
export function hasManagedStorage(config: Config): boolean {
  return config.s3 !== null || config.signingKey !== null;
}

function s3Of(vars: z.infer<typeof ValidVars>): S3Access | null {
  const { R2_S3_ENDPOINT, R2_BUCKET_NAME, R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY } = vars;
  if (!R2_S3_ENDPOINT || !R2_BUCKET_NAME || !R2_ACCESS_KEY_ID || !R2_SECRET_ACCESS_KEY) return null;
  return {
    endpoint: R2_S3_ENDPOINT.replace(/\/+$/, ""),
    bucket: R2_BUCKET_NAME,
    accessKeyId: R2_ACCESS_KEY_ID,
    secretAccessKey: R2_SECRET_ACCESS_KEY,
  };
}
