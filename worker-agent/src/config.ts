/** The environment, read and validated once. Nothing else of the agent reads `process.env` for itself. */
import { resolve } from "node:path";
import { z } from "zod";
import { type Holder, limits } from "../../src/contract/index.ts";
import { findHalfKeys, findMisspelt } from "./config-doubts.ts";
import { imdsDefaultUrl } from "./imds/imds.ts";
import { type LogLevel, logLevels } from "./log.ts";
import { type Timings, timings } from "./timings.ts";
import type { TransferSettings } from "./transfer/ports.ts";

export interface Config {
  apiUrl: string;
  /** Headers that prove who we are, on every call; as far as the environment knows them. */
  credentials: Record<string, string>;
  /**
   * What the node's metadata service adds to them: nothing; the organization's name; or, where there is no key at all, the token that is the
   * proof.
   */
  credentialsFromNode: "none" | "organization" | "token";
  imds: {
    /** Of the node's metadata service; may have a path. */
    url: string;
    /** Whether this looks like a node of SaladCloud, which has such a service. */
    expected: boolean;
  };
  /** Values that must never reach a log. */
  secrets: string[];
  identity: Pick<Holder, "machine_id" | "container_group_id">;
  instanceId?: string;
  transfer: TransferSettings;
  directories: LegacyDirectories;
  stateFile: string;
  logLevel: LogLevel;
  pollMs: number;
  /** How many jobs to run at once. */
  slots: number;
  /** What commands write is sent within so long; 0: it is not kept, and the container's log is all. */
  logSendMs: number;
  /** Whether to keep a socket to the API, which then wakes us. */
  socket: boolean;
  maxRetries: number;
  /** 0: never exit for want of work. */
  maxIdleMs: number;
  /** Jobs that fail here in a row before the agent asks for another node. 0: it never does by itself. */
  maxJobFailures: number;
  /** Whether each job gets a container of its own. */
  recreateBetweenJobs: boolean;
  /** Told to stop, how long the last checkpoint and finished outputs may go up; 0 to an hour. */
  shutdownUploadMs: number;
  /** What can be used and yet is hardly meant so; a line each, without values. */
  doubts: string[];
}

/** All bounds on time: ours, and those that are configured. */
export function timingsOf({ logSendMs, shutdownUploadMs }: Config): Timings {
  return { ...timings, logSendMs, shutdownUploadMs };
}

/** Where jobs that use the six older storage fields find their files; absolute. */
export interface LegacyDirectories {
  input: string;
  output: string;
  checkpoint: string;
}

/** The configuration cannot be used; the message names every variable at fault and no value. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(problems: string[]) {
    super(`The environment is not usable:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`);
  }
}

const required = z.string({ error: "is required" });
const whole = (fallback: number, least = 0, most = 999_999_999) =>
  bounded(/^\d+$/, fallback, { least, most, error: `must be a whole number from ${least} to ${most}` });
/** Over a day, beyond which no interval makes sense. */
const secondsMost = 99_999;
const seconds = (fallback: number, least: number) =>
  bounded(/^\d+(\.\d+)?$/, fallback, {
    ...{ least, most: secondsMost },
    error: `must be a number of seconds from ${least} to ${secondsMost}`,
  });
function bounded(
  form: RegExp,
  fallback: number,
  { least, most, error }: { least: number; most: number; error: string },
) {
  return z
    .string()
    .regex(form, { error, abort: true })
    .transform(Number)
    .refine((value) => value >= least && value <= most, { error })
    .default(fallback);
}
const flag = (fallback: boolean) =>
  z
    .string()
    .toLowerCase()
    .pipe(z.enum(["true", "false", "1", "0"], { error: 'must be "true", "false", "1" or "0"' }))
    .transform((text) => text === "true" || text === "1")
    .default(fallback);
const httpUrl = z
  .url({
    protocol: /^https?$/,
    error: (issue) =>
      issue.input === undefined
        ? "is required"
        : "must be a whole URL: https:// (http:// is taken too) and a host, as https://kelpie.example",
  })
  // fetch refuses such a URL, and would quote it in its error.
  .refine((url) => !/^https?:\/\/[^/]*@/i.test(url), { error: "must not contain a user name or password" });
/** Goes into an HTTP header: a stray newline or accent would make every call fail with a riddle. */
const headerText = z.string().regex(/^[\x20-\x7e]+$/, { error: "must be printable ASCII" });

/** As many jobs again may upload, and all of them are renewed in one call. */
const slotsMax = limits.renewals / 2;

/** What the agent reads of its environment; docs/agent.md tells each, and a test holds it to that. */
export const Environment = z.object({
  KELPIE_API_URL: httpUrl,
  KELPIE_API_KEY: headerText.optional(),
  SALAD_API_KEY: headerText.optional(),
  SALAD_ORGANIZATION_NAME: headerText.optional(),
  SALAD_ORGANIZATION: headerText.optional(),
  SALAD_PROJECT_NAME: headerText.optional(),
  SALAD_PROJECT: headerText.optional(),
  SALAD_MACHINE_ID: required,
  SALAD_CONTAINER_GROUP_ID: required,
  SALAD_INSTANCE_ID: z.string().optional(),
  KELPIE_IMDS_URL: httpUrl.optional(),
  AWS_ACCESS_KEY_ID: z.string().default(""),
  AWS_SECRET_ACCESS_KEY: z.string().default(""),
  AWS_SESSION_TOKEN: z.string().optional(),
  AWS_REGION: z.string().optional(),
  AWS_DEFAULT_REGION: z.string().default("us-east-1"),
  AWS_ENDPOINT_URL: httpUrl.optional(),
  AWS_ENDPOINT_URL_S3: httpUrl.optional(),
  MAX_RETRIES: whole(3),
  MAX_JOB_FAILURES: whole(3),
  MAX_TIME_WITH_NO_WORK_S: whole(0),
  KELPIE_RECREATE_BETWEEN_JOBS: flag(false),
  KELPIE_SHUTDOWN_UPLOAD_SECONDS: whole(25, 0, 3600),
  KELPIE_STATE_FILE: z.string().default("./kelpie-state.json"),
  KELPIE_LOG_LEVEL: z
    .string()
    .toLowerCase()
    .pipe(z.enum(logLevels, { error: `must be one of ${logLevels.join(", ")}` }))
    .default("info"),
  KELPIE_POLL_SECONDS: seconds(2, 0.1),
  KELPIE_SLOTS: whole(1, 1, slotsMax),
  KELPIE_LOG_SECONDS: seconds(timings.logSendMs / 1000, 0),
  KELPIE_SOCKET: flag(true),
  FILE_WATCHER_DEBOUNCE_MS: whole(0),
  FILE_WATCHER_STABILITY_CHECK_MS: whole(50),
  FILE_WATCHER_MAX_WAIT_MS: whole(5000),
  INPUT_DIR: z.string().default("/input"),
  OUTPUT_DIR: z.string().default("/output"),
  CHECKPOINT_DIR: z.string().default("/checkpoint"),
});
type Environment = z.infer<typeof Environment>;

/** Reads the configuration from the environment; throws ConfigError naming all variables at fault. */
export function readConfig(environment: NodeJS.ProcessEnv, workdir: string): Config {
  // An empty variable means unset: `docker run -e NAME=` and env files leave such behind.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ""));
  const parsed = Environment.safeParse(given);
  const problems = parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path.join(".")} ${issue.message}`);
  // Salad sets the one, whoever simulates it the other.
  const expected = (given.SALAD_INSTANCE_ID ?? given.KELPIE_IMDS_URL) !== undefined;
  const credentials = readCredentials(given, expected, problems);
  if (!parsed.success || problems.length > 0) throw new ConfigError(problems);

  const values = parsed.data;
  return {
    apiUrl: values.KELPIE_API_URL.replace(/\/+$/, ""),
    ...credentials,
    imds: { url: (values.KELPIE_IMDS_URL ?? imdsDefaultUrl).replace(/\/+$/, ""), expected },
    secrets: secretsOf(values),
    identity: {
      machine_id: values.SALAD_MACHINE_ID,
      container_group_id: values.SALAD_CONTAINER_GROUP_ID,
    },
    instanceId: values.SALAD_INSTANCE_ID,
    transfer: {
      accessKeyId: values.AWS_ACCESS_KEY_ID,
      secretAccessKey: values.AWS_SECRET_ACCESS_KEY,
      sessionToken: values.AWS_SESSION_TOKEN,
      region: values.AWS_REGION ?? values.AWS_DEFAULT_REGION,
      endpointUrl: values.AWS_ENDPOINT_URL_S3 ?? values.AWS_ENDPOINT_URL,
      stabilityMs: values.FILE_WATCHER_STABILITY_CHECK_MS,
      maxWaitMs: values.FILE_WATCHER_MAX_WAIT_MS,
      debounceMs: values.FILE_WATCHER_DEBOUNCE_MS,
    },
    directories: {
      input: resolve(workdir, values.INPUT_DIR),
      output: resolve(workdir, values.OUTPUT_DIR),
      checkpoint: resolve(workdir, values.CHECKPOINT_DIR),
    },
    stateFile: resolve(workdir, values.KELPIE_STATE_FILE),
    logLevel: values.KELPIE_LOG_LEVEL,
    pollMs: values.KELPIE_POLL_SECONDS * 1000,
    slots: values.KELPIE_SLOTS,
    logSendMs: values.KELPIE_LOG_SECONDS * 1000,
    socket: values.KELPIE_SOCKET,
    maxRetries: values.MAX_RETRIES,
    maxIdleMs: values.MAX_TIME_WITH_NO_WORK_S * 1000,
    maxJobFailures: values.MAX_JOB_FAILURES,
    recreateBetweenJobs: values.KELPIE_RECREATE_BETWEEN_JOBS,
    shutdownUploadMs: values.KELPIE_SHUTDOWN_UPLOAD_SECONDS * 1000,
    doubts: [...findMisspelt(given, Object.keys(Environment.shape)), ...findHalfKeys(given)],
  };
}

/**
 * A Kelpie key wins, then a Salad key, which needs to know organization and project; images carry both. A node of SaladCloud needs
 * neither: its metadata service hands out tokens, which also name the organization.
 */
function readCredentials(
  environment: NodeJS.ProcessEnv,
  expected: boolean,
  problems: string[],
): Pick<Config, "credentials" | "credentialsFromNode"> {
  if (environment.KELPIE_API_KEY) {
    return { credentials: { "X-Kelpie-Key": environment.KELPIE_API_KEY }, credentialsFromNode: "none" };
  }
  const organization = environment.SALAD_ORGANIZATION_NAME ?? environment.SALAD_ORGANIZATION;
  const project = environment.SALAD_PROJECT_NAME ?? environment.SALAD_PROJECT;
  const key = environment.SALAD_API_KEY;
  if (!key && !expected) {
    problems.push("KELPIE_API_KEY or SALAD_API_KEY is required");
    return { credentials: {}, credentialsFromNode: "none" };
  }
  const beside = key ? "beside SALAD_API_KEY" : "without KELPIE_API_KEY";
  if (!project) problems.push(`SALAD_PROJECT_NAME is required ${beside}`);
  const credentials = { "Salad-Project": project ?? "" };
  if (!key) return { credentials, credentialsFromNode: "token" };
  if (!organization && !expected) problems.push("SALAD_ORGANIZATION_NAME is required beside SALAD_API_KEY");
  return organization
    ? {
        credentials: { "Salad-Api-Key": key, "Salad-Organization": organization, ...credentials },
        credentialsFromNode: "none",
      }
    : { credentials: { "Salad-Api-Key": key, ...credentials }, credentialsFromNode: "organization" };
}

function secretsOf(values: Environment): string[] {
  return [
    values.KELPIE_API_KEY,
    values.SALAD_API_KEY,
    values.AWS_SECRET_ACCESS_KEY,
    values.AWS_SESSION_TOKEN,
  ].filter((secret) => secret !== undefined);
}
