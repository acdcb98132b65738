/**
 * An agent as a process of its own, standing for one container on one node: its own machine id, its own
 * working directory with its temporary files in it, nothing of this shell's environment. Killing it takes its command with it, as a power cut would.
 */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type LocalApi, localBucket } from "./local-api.ts";
import { type ManagedProcess, startProcess } from "./processes/managed-process.ts";
import { projectRoot } from "./project.ts";

export interface LocalAgentOptions {
  api: Pick<LocalApi, "url" | "s3Endpoint">;
  key: string;
  containerGroupId: string;
  machineId: string;
  /** Made where missing; becomes the working directory. Its `tmp` is for temporary files. */
  directory: string;
  /** Default true; false: no AWS_ variable at all, for jobs in managed storage. */
  s3Keys?: boolean;
  env?: Record<string, string>;
  /** The program and its first arguments. Default: the sources, by this very Node. */
  program?: [string, ...string[]];
  onLine?: (line: string) => void;
}

export interface LocalAgent extends ManagedProcess {
  readonly machineId: string;
  readonly startedMs: number;
}

const s3Keys = ({ s3Endpoint }: LocalAgentOptions["api"]) => ({
  AWS_ENDPOINT_URL: s3Endpoint,
  AWS_REGION: localBucket.region,
  AWS_ACCESS_KEY_ID: localBucket.accessKeyId,
  AWS_SECRET_ACCESS_KEY: localBucket.secretAccessKey,
});

export function startLocalAgent(options: LocalAgentOptions): LocalAgent {
  // Killed, an agent leaves its temporary files: those of a container go with its file system, here with its directory.
  const temporary = join(options.directory, "tmp");
  mkdirSync(temporary, { recursive: true });
  const { PATH, HOME } = process.env;
  const sources: [string, string] = [process.execPath, join(projectRoot, "worker-agent/src/main.ts")];
  const [command, ...commandArguments] = options.program ?? sources;
  const child = startProcess(command, commandArguments, {
    cwd: options.directory,
    env: {
      ...{ PATH, HOME, TMPDIR: temporary },
      KELPIE_API_URL: options.api.url,
      KELPIE_API_KEY: options.key,
      SALAD_MACHINE_ID: options.machineId,
      SALAD_CONTAINER_GROUP_ID: options.containerGroupId,
      ...(options.s3Keys === false ? {} : s3Keys(options.api)),
      // The defaults are folders at the root of the container's file system, cleared at start: not on this machine.
      INPUT_DIR: join(options.directory, "input"),
      OUTPUT_DIR: join(options.directory, "legacy-output"),
      CHECKPOINT_DIR: join(options.directory, "legacy-checkpoint"),
      // No metadata service here; a closed port refuses at once where the real address would hang.
      KELPIE_IMDS_URL: "http://127.0.0.1:9",
      ...options.env,
    },
    onLine: options.onLine,
  });
  return { ...child, machineId: options.machineId, startedMs: Date.now() };
}
