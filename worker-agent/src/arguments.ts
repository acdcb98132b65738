/** What the program was called for. Without arguments it is the agent. */
import { parseArgs } from "node:util";
import type { CheckOptions } from "./check/check.ts";
import { misspeltAs } from "./misspelt.ts";
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

const options = {
  version: { type: "boolean" },
  help: { type: "boolean", short: "h" },
  bucket: { type: "string" },
  prefix: { type: "string" },
} as const;

export function readArguments(args: string[]): Asked {
  // Not strict: Node's own words about what it does not know are for whoever wrote the program.
  const { values, positionals, tokens } = parseArgs({
    ...{ args, options },
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  const problem = tokens.flatMap((token) => problemOf(token) ?? [])[0];
  if (problem !== undefined) return { what: "unknown", problem };
  if (values.version) return { what: "version" };
  if (values.help) return { what: "help" };
  const [command, ...others] = positionals;
  const bucket = values.bucket as string | undefined;
  const prefix = values.prefix as string | undefined;
  if (command === "check" && others.length === 0)
    return { what: "check", options: { bucket, prefix: prefix ?? "kelpie-check/" } };
  if (command !== undefined) return { what: "unknown", problem: `"${positionals.join(" ")}" is no command` };
  if (bucket !== undefined || prefix !== undefined)
    return { what: "unknown", problem: "--bucket and --prefix go with check" };
  return { what: "agent" };
}

/** What is wrong with an option, in words. */
function problemOf(token: ArgumentToken): string | undefined {
  if (token.kind !== "option") return undefined;
  const { name, rawName, value, inlineValue } = token;
  if (!isOption(name)) {
    const meant = misspeltAs(name, Object.keys(options));
    return `unknown option "${rawName}"${meant === undefined ? "" : ` (is --${meant} meant?)`}`;
  }
  if (options[name].type === "boolean") return value === undefined ? undefined : `${rawName} takes no value`;
  // An option's name after it, and not a value, is what was most likely meant.
  if (value === undefined || (!inlineValue && value.startsWith("-"))) return `${rawName} needs a value`;
  return undefined;
}

const isOption = (name: string): name is keyof typeof options => Object.hasOwn(options, name);
type ArgumentToken = NonNullable<ReturnType<typeof parseArgs>["tokens"]>[number];
