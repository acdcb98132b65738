/** docs/agent.md tells every variable that config.ts reads, with its default. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { z } from "zod";
import { Environment } from "../src/config.ts";

/** The default is decided elsewhere than in the schema. */
const defaultsElsewhere = ["KELPIE_IMDS_URL"];

const text = readFileSync(new URL("../../docs/agent.md", import.meta.url), "utf8");
const [, section = ""] = /^## Variables that the agent reads$(.*?)^## /ms.exec(text) ?? [];
const rows = [...section.matchAll(/^\|(.*)\|$/gm)].map(([, row = ""]) =>
  row.split("|").map((cell) => cell.trim()),
);
const documented = new Map(
  rows.flatMap(([name = "", fallback = "", unit = "", meaning = ""]) =>
    name.startsWith("`") ? [[unquoted(name), { fallback: unquoted(fallback), unit, meaning }] as const] : [],
  ),
);

function unquoted(cell: string): string {
  return cell.replace(/^`(.*)`$/, "$1");
}

const read = Object.entries(Environment.shape) as [string, z.ZodType][];

test("every variable is documented, and none that there is not", () => {
  const names = read.map(([name]) => name);
  expect(names.filter((name) => !documented.has(name))).toEqual([]);
  const unknown = [...documented.keys()].filter((name) => !names.includes(name));
  expect(unknown).toEqual([]);
});

test.each(read)(
  "%s: its default is what the document says, and so is whether it is required",
  (name, schema) => {
    const { fallback, meaning } = documented.get(name) ?? { fallback: "", meaning: "" };
    expect(meaning).not.toBe("");
    const required = !schema.safeParse(undefined).success;
    expect(fallback === "required").toBe(required);
    if (defaultsElsewhere.includes(name)) return;
    const hasDefault = schema instanceof z.ZodDefault && schema.def.defaultValue !== "";
    expect(["", "set by Salad", "required"].includes(fallback)).toBe(!hasDefault);
    if (hasDefault) expect(fallback).toBe(String(schema.def.defaultValue));
  },
);

/** What is wrong with a value that is no number; undefined: it is not wrong. */
const refusals = read.map(
  ([name, schema]) => [name, schema.safeParse("abc").error?.issues[0]?.message] as const,
);
const boundsTold = refusals.flatMap(([name, message]) => {
  const [, least, most] = /^must be a .*number.* from (\S+) to (\d+)$/.exec(message ?? "") ?? [];
  // Nine digits are no bound that anybody meets.
  return least === undefined || most === "999999999" ? [] : [[name, `${least} to ${most}`] as const];
});

test.each(boundsTold)("%s is from %s: so says the document", (name, bounds) => {
  expect(documented.get(name)?.unit).toContain(bounds);
});

test("the bounds that people meet are told with the refusal", () => {
  expect(boundsTold).toEqual([
    ["KELPIE_SHUTDOWN_UPLOAD_SECONDS", "0 to 3600"],
    ["KELPIE_POLL_SECONDS", "0.1 to 99999"],
    ["KELPIE_SLOTS", "1 to 32"],
    ["KELPIE_LOG_SECONDS", "0 to 99999"],
  ]);
});

test.each(
  read.filter(([, schema]) => schema instanceof z.ZodDefault && typeof schema.def.defaultValue === "number"),
)("%s is a number, so it has a unit", (name) => {
  expect(documented.get(name)?.unit).not.toBe("");
});
