/** What the program was called for. Without arguments it is the agent. */
import { parseArgs } from "node:util";
import type { CheckOptions } from "./check/check.ts";
import { version } from "./version.ts";

export type Asked =
  | { what: "agent" | "version" | "help" }
  | { what: "check"; options: CheckOptions }
  /** `problem`: what cannot be understood, in words. */
  | { what: "unknown"; problem: string };

export const help = `kelpie ${version}: takes jobs from the queue of this container group and runs them.

  kelpie                              the agent, until it is told to stop
  kelpie check [--bucket NAME] [--prefix PREFIX]
                                      whether this container may work as an agent: configuration, API, credential, node
                                      metadata, storage. With --bucket an object is written, listed, read and deleted
                                      under PREFIX (default "kelpie-check/"). Exit code 0: all is well, 1: something is not
  kelpie --version
  kelpie --help

Everything is configured by environment variables. At least: KELPIE_API_URL, KELPIE_API_KEY (or SALAD_API_KEY),
SALAD_MACHINE_ID, SALAD_CONTAINER_GROUP_ID; the last two are set by SaladCloud. All of them: docs/agent.md.
`;

export function readArguments(args: string[]): Asked {
  try {
    const { values, positionals } = parseArgs({
      args,
      allowPositionals: true,
      options: {
        version: { type: "boolean" },
        help: { type: "boolean", short: "h" },
        bucket: { type: "string" },
        prefix: { type: "string" },
      },
    });
    if (values.version) return { what: "version" };
    if (values.help) return { what: "help" };
    const [command, ...others] = positionals;
    const { bucket, prefix = "kelpie-check/" } = values;
    if (command === "check" && others.length === 0) return { what: "check", options: { bucket, prefix } };
    if (command !== undefined)
      return { what: "unknown", problem: `"${positionals.join(" ")}" is no command` };
    if (values.bucket !== undefined || values.prefix !== undefined)
      return { what: "unknown", problem: "--bucket and --prefix go with check" };
    return { what: "agent" };
  } catch (error) {
    return { what: "unknown", problem: (error as Error).message };
  }
}
