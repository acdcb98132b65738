/** The environment of the original worker, as its users set it; and how far a test shortens its waits. */

export interface Config {
  apiUrl: string;
  /** Credentials, in the order of preference. */
  headers: Record<string, string>;
  machineId: string;
  groupId: string;
  maxRetries: number;
  maxJobFailures: number;
  /** 0: never. */
  maxIdleMs: number;
  stateFile: string;
  /** The original's is 10 s. */
  pollMs: number;
  dirs: { INPUT_DIR: string; OUTPUT_DIR: string; CHECKPOINT_DIR: string };
  s3: { endpoint: string; accessKeyId: string; secretAccessKey: string; region: string };
}

export function readConfig(env: NodeJS.ProcessEnv): Config {
  const project = env.SALAD_PROJECT_NAME ?? env.SALAD_PROJECT ?? "";
  const headers: Record<string, string> = env.KELPIE_API_KEY
    ? { "X-Kelpie-Key": env.KELPIE_API_KEY }
    : env.SALAD_API_KEY
      ? {
          "Salad-Api-Key": env.SALAD_API_KEY,
          "Salad-Organization": env.SALAD_ORGANIZATION_NAME ?? env.SALAD_ORGANIZATION ?? "",
          "Salad-Project": project,
        }
      : { Authorization: `Bearer ${env.NODE_TOKEN ?? ""}`, "Salad-Project": project };
  return {
    apiUrl: env.KELPIE_API_URL ?? "",
    headers,
    machineId: env.SALAD_MACHINE_ID ?? "",
    groupId: env.SALAD_CONTAINER_GROUP_ID ?? "",
    maxRetries: Number(env.MAX_RETRIES ?? 3),
    maxJobFailures: Number(env.MAX_JOB_FAILURES ?? 3),
    maxIdleMs: Number(env.MAX_TIME_WITH_NO_WORK_S ?? 0) * 1000,
    stateFile: env.KELPIE_STATE_FILE ?? "./kelpie-state.json",
    pollMs: Number(env.POLL_MS ?? 10_000),
    dirs: {
      INPUT_DIR: env.INPUT_DIR ?? "/input",
      OUTPUT_DIR: env.OUTPUT_DIR ?? "/output",
      CHECKPOINT_DIR: env.CHECKPOINT_DIR ?? "/checkpoint",
    },
    s3: {
      endpoint: env.AWS_ENDPOINT_URL_S3 ?? env.AWS_ENDPOINT_URL ?? "",
      accessKeyId: env.AWS_ACCESS_KEY_ID ?? "",
      secretAccessKey: env.AWS_SECRET_ACCESS_KEY ?? "",
      region: env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? "us-east-1",
    },
  };
}
