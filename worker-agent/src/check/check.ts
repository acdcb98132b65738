/**
 * `kelpie check`: may this container work as an agent? One line per question, all that can be asked are asked, and a failed one says
 * what to do. It takes no job, holds no lease, and leaves nothing behind.
 */
import { rmdir } from "node:fs/promises";
import { dirname } from "node:path";
import { createApiClient } from "../api/client.ts";
import { createClock } from "../clock.ts";
import { type Config, ConfigError, readConfig } from "../config.ts";
import { createImds } from "../imds/imds.ts";
import { createCredentials } from "../imds/node-credentials.ts";
import { NodeToken } from "../imds/node-token.ts";
import { reasonOf, secretsToHide } from "../log.ts";
import { tryToWrite, whyNoStateFile } from "../state-file-place.ts";
import { timings } from "../timings.ts";
import { askWhetherReachable, askWhoWeAre } from "./ask-api.ts";
import { askNode } from "./ask-node.ts";
import { askOwnStorage } from "./ask-storage.ts";
import { type Finding, failed, ok, skipped } from "./finding.ts";

export interface CheckOptions {
  /** Where to try the user's own storage. Default: not tried. */
  bucket?: string;
  /** What the object tried with begins with. */
  prefix: string;
}

/** Asks and writes the lines. Returns the exit code: 0 when nothing failed, else 1. */
export async function check(
  options: CheckOptions,
  environment: NodeJS.ProcessEnv,
  workdir: string,
  write: (line: string) => void,
): Promise<0 | 1> {
  const config = readAll(environment, workdir);
  const secrets = new Set("config" in config ? config.config.secrets : []);
  let failures = 0;
  const tell = (question: string, { verdict, says }: Finding) => {
    if (verdict === "failed") failures += 1;
    let line = `${verdict.padEnd(8)}${question.padEnd(16)}${says}`;
    for (const secret of secretsToHide(secrets)) line = line.replaceAll(secret, "[secret]");
    write(line);
    return verdict;
  };

  if ("problems" in config) {
    tell("configuration", failed(config.problems));
    return 1;
  }
  const { apiUrl, doubts, identity, stateFile, transfer, ...rest } = config.config;
  const imds = createImds({ url: rest.imds.url, timings });
  const token = new NodeToken({ imds, clock: createClock(), onToken: (jwt) => secrets.add(jwt) });
  tell("configuration", ok(["every variable can be used", ...doubts].join("; but ")));
  tell("state file", await askStateFile(stateFile));
  const reached = tell("API", await askWhetherReachable(apiUrl));
  let managedStorage: boolean | undefined;
  if (reached === "ok") {
    const asked = await askWhoWeAre(createApiClient(apiUrl, createCredentials(rest, token)), identity);
    managedStorage = asked.managedStorage;
    tell("credential", asked.finding);
  } else {
    tell("credential", skipped("the API must be reached first"));
  }
  tell("node metadata", await askNode(imds, rest.imds.url, rest.imds.expected));
  tell("own storage", await askOwnStorage(transfer, options));
  tell("managed storage", judgeManaged(managedStorage));
  return failures === 0 ? 0 : 1;
}

function readAll(environment: NodeJS.ProcessEnv, workdir: string): { config: Config } | { problems: string } {
  try {
    return { config: readConfig(environment, workdir) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { problems: error.message };
  }
}

/** As the agent itself would do, and then as if nothing had been done. */
async function askStateFile(path: string): Promise<Finding> {
  const directory = dirname(path);
  const made: string[] = [];
  try {
    const why = await whyNoStateFile(path, made);
    if (why !== undefined) return failed(why);
    await tryToWrite(path);
    return ok(made.length === 0 ? `${directory} can be written` : `${directory} can be made and written`);
  } catch (error) {
    return failed(
      `${directory} cannot be written (${reasonOf(error)}): name another KELPIE_STATE_FILE, or another WORKDIR in the image`,
    );
  } finally {
    for (const one of made.toReversed()) await rmdir(one).catch(() => undefined); // in use meanwhile
  }
}

/** Nothing there can be read or written without a lease, and a lease is a job's. */
function judgeManaged(offered: boolean | undefined): Finding {
  switch (offered) {
    case true:
      return ok("offered by the API; bytes are tried by the first job only, since a lease opens it");
    case false:
      return skipped("not set up at this API: each rule of a job must name a bucket");
    case undefined:
      return skipped("the API has not said whether it offers any");
  }
}
