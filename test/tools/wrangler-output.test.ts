import { describe, expect, it } from "vitest";
import { createNoiseFilter, failureText } from "../../tools/wrangler-output.ts";

const warning = (text: string) =>
  `\x1b[33m▲ \x1b[43;33m[\x1b[43;30mWARNING\x1b[43;33m]\x1b[0m \x1b[1m${text}\x1b[0m`;
const s3Item =
  '    - "local_dev.experimental_s3_credentials" fields are experimental and may change or break at any time.';
const s3Warning = [warning("Processing wrangler.toml configuration:"), "", s3Item, "", ""];
const cronWarning = [
  warning("Scheduled Workers are not automatically triggered during local development."),
  "",
  "  To manually trigger a scheduled event, run:",
  '    curl "http://127.0.0.1:8787/cdn-cgi/local/scheduled"',
  "  For more details, see \x1b[4mhttps://developers.cloudflare.com/workers/configuration/cron-triggers/#test-cron-triggers-locally\x1b[0m",
  "",
];

function filtered(lines: string[]): string[] {
  const told: string[] = [];
  lines.forEach(createNoiseFilter((line) => told.push(line)));
  return told;
}

describe("createNoiseFilter", () => {
  it("drops the two known warnings with their blank lines, also one after the other", () => {
    const lines = ["before", ...s3Warning, ...cronWarning, "", "after", "", "last"];
    expect(filtered(lines)).toEqual(["before", "after", "", "last"]);
  });

  it("keeps a warning that says anything else beside", () => {
    const other = [...s3Warning.slice(0, 3), '    - Unexpected fields found in top-level field: "naem"', ""];
    expect(filtered([...other, "after"])).toEqual([...other, "after"]);
  });

  it("keeps every other warning", () => {
    const lines = [warning("The version of Workers is old"), "", "  details", ""];
    expect(filtered(lines)).toEqual(lines);
  });
});

describe("failureText", () => {
  it("tells wrangler's reason first, and the rest of its words once", () => {
    const error =
      "\x1b[31m✘ \x1b[41;31m[\x1b[41;97mERROR\x1b[41;31m]\x1b[0m \x1b[1mUnknown argument: prot\x1b[0m";
    const output = [...s3Warning, "Bindings", "", error, "", "wrangler dev [script]"].join("\n");
    expect(failureText("The API ended", output)).toBe(
      "The API ended: Unknown argument: prot\n\nBindings\n\n\nwrangler dev [script]",
    );
  });

  it("gives the last words where there was no reason", () => {
    expect(failureText("The API was not ready", "one\ntwo")).toBe(
      "The API was not ready. Its last words:\none\ntwo",
    );
  });
});
