/** What the tools' command lines have in common: `--help`, and a plain line and exit code 2 for what cannot be understood. */
import { Command, InvalidArgumentError, Option } from "commander";

/** `script`: its name in package.json. Options are added by the caller; `.parse()` and `.opts()` read them. */
export function commandLine(script: string, description: string): Command {
  return new Command(`npm run ${script} --`)
    .usage("[options]")
    .description(description)
    .helpOption("--help", "this text")
    .allowExcessArguments(false)
    .showHelpAfterError(`npm run ${script} -- --help tells what can be given.`)
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2));
}

/** For what is another each time, unless it is to be the same again. `what` it draws, in words. */
export function clockSeed(what: string): Option {
  return new Option("--seed <N>", `what draws ${what}`)
    .argParser(whole())
    .default(Date.now() % 100_000, "by the clock");
}

/** Parses an option's value: above 0, at most `most`. */
export function positive(most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() !== "" && value > 0 && value <= most) return value;
    throw new InvalidArgumentError(`It wants a number above 0${upTo(most)}.`);
  };
}

/** Parses an option's value: a whole number from `least` to `most`. */
export function whole(least = 0, most: number = 2 ** 31): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It wants a whole number from ${least}${upTo(most, " to")}.`);
  };
}

function upTo(most: number, words = ", at most"): string {
  return most === Number.MAX_SAFE_INTEGER ? "" : `${words} ${most}`;
}

/** Parses an option's value: an http(s) URL, told without a final slash. */
export function httpUrl(text: string): string {
  if (!/^https?:$/.test(URL.parse(text)?.protocol ?? ""))
    throw new InvalidArgumentError("It is no http(s) URL.");
  return text.replace(/\/+$/, "");
}
