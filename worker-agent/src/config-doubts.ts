/** What of the environment can be used and yet is hardly meant so. Said once at start; nothing is refused for it. */

import { misspeltAs } from "./misspelt.ts";

/** What a command gets of the agent: an agent that is itself such a command has them all, and they are none of its own. */
const ofCommands = ["KELPIE_JOB_ID", "KELPIE_SLOT", "KELPIE_RUN_ID", "KELPIE_PROGRESS_FILE"];
/** Set in every command, and by nobody else. */
const markOfCommands = "KELPIE_RUN_ID";

/**
 * Variables that begin with KELPIE_, are not read, and resemble one that is, each in a line. Others may be what an image tells its jobs.
 *
 * `known`: all that are read.
 */
export function findMisspelt(environment: NodeJS.ProcessEnv, known: readonly string[]): string[] {
  const ours = known.filter((name) => name.startsWith("KELPIE_"));
  const passedOn = environment[markOfCommands] === undefined ? [] : ofCommands;
  return Object.keys(environment).flatMap((name) => {
    if (!/^KELPIE_/i.test(name) || ours.includes(name) || passedOn.includes(name)) return [];
    const meant = nearest(name.toUpperCase(), ours);
    return meant === undefined ? [] : [`${name} is not read: is ${meant} meant?`];
  });
}

/** Half of a pair of S3 keys signs nothing: every rule that names a bucket would fail, much later and for another reason. */
export function findHalfKeys({
  AWS_ACCESS_KEY_ID: id,
  AWS_SECRET_ACCESS_KEY: secret,
}: NodeJS.ProcessEnv): string[] {
  if ((id === undefined) === (secret === undefined)) return [];
  const [missing, there] =
    id === undefined
      ? ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]
      : ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"];
  return [`${missing} is missing beside ${there}: jobs whose rules name a bucket will fail`];
}

function nearest(name: string, known: string[]): string | undefined {
  const close = misspeltAs(name, known);
  if (close !== undefined) return close;
  // KELPIE_URL, KELPIE_POLL: words of it, and others left out.
  const words = name.split("_");
  return known.find((other) => words.every((word) => other.split("_").includes(word)));
}
