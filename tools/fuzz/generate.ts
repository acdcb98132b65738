/** Values that a schema allows, as far as it says what it allows. */
import type { Random } from "../../test/simulation/world/random.ts";
import { resolved, type Schema } from "./document.ts";
import { settleFields } from "./field-rules.ts";
import type { Facts } from "./memory.ts";
import { place } from "./place.ts";

export interface Given {
  random: Random;
  schemas: Record<string, Schema>;
  /** Stands in every free text, so that what was written tells by which request. */
  marker: string;
  /** Values by the name of their field. */
  facts: Facts | undefined;
  /** What fields of this name are to say, one of these; before `facts`. */
  there?: Record<string, readonly string[]>;
}

/** Few, so that nodes meet jobs; a job of many failures, so that it lives. */
const fixed: Record<string, readonly unknown[]> = {
  container_group_id: ["fuzz-a", "fuzz-b"],
  machine_id: ["fuzz-node-1", "fuzz-node-2", "fuzz-node-3"],
  max_failures: [1000],
  org_name: [place.organization],
  project_name: [place.project],
  // In the future, and before the end of the token that asks.
  expires: [new Date(Date.now() + 24 * 3600 * 1000).toISOString()],
  page: [1, 2],
  prefix: ["fuzz/", ""],
};
/** How often a field takes what is known of it. */
const knownShare = 0.92;
/** What may be left out is, as often. */
const leftOutShare = 0.5;
/** Left out, these make an answer that nothing can be done with, or of the admin a refusal. */
const wanted = new Set(["claim_id", "attempt", "lease_token", "instance_id", "org_name", "project_name"]);

export function generate(given: Given, schema: Schema, name = ""): unknown {
  const { random } = given;
  if (schema.$ref !== undefined) return generate(given, resolved(given.schemas, schema), name);
  const known = knownValue(given, name);
  if (known !== undefined && random.chance(knownShare)) return known;
  if (schema.const !== undefined) return schema.const;
  if (schema.enum) return random.pick(schema.enum);
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives) return generate(given, random.pick(alternatives), name);
  const type = Array.isArray(schema.type) ? random.pick(schema.type) : schema.type;
  switch (type) {
    case "object":
      return objectOf(given, schema);
    case "array": {
      const count = (schema.minItems ?? 0) + random.int(0, 2);
      return Array.from({ length: Math.min(count, schema.maxItems ?? count) }, () =>
        generate(given, schema.items ?? {}, name),
      );
    }
    case "integer":
    case "number":
      // Small ones: a size, a pause, an expiry that fits.
      return Math.min(Math.max(schema.minimum ?? 0, 0) + random.int(0, 20), schema.maximum ?? 1e9);
    case "boolean":
      return random.chance(0.5);
    case "string":
      return textOf(given, schema, name);
    default:
      return null;
  }
}

function knownValue({ random, facts, there }: Given, name: string): unknown {
  if (there?.[name]) return random.pick(there[name]);
  // A name is taken once.
  if (name === "username") return undefined;
  const told = facts?.[name === "job_id" ? "id" : name];
  if (typeof told === "string" || typeof told === "number") return told;
  return fixed[name] && random.pick(fixed[name]);
}

function objectOf(given: Given, schema: Schema): unknown {
  const { random } = given;
  const entries = Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const isKnown = wanted.has(name) || (given.facts?.[name] !== undefined && name in given.facts);
    const leaveOut = !schema.required?.includes(name) && !isKnown && random.chance(leftOutShare);
    return leaveOut ? [] : [[name, generate(given, property, name)] as const];
  });
  if (typeof schema.additionalProperties === "object") {
    const value = schema.additionalProperties;
    return Object.fromEntries(
      Array.from({ length: random.int(0, 3) }, (_, index) => [`FUZZ_${index}`, generate(given, value)]),
    );
  }
  return settleFields(Object.fromEntries(entries), Object.keys(schema.properties ?? {}), random);
}

function textOf({ random, marker }: Given, schema: Schema, name: string): string {
  if (schema.format === "uuid") return uuid(random);
  if (schema.format === "uri") return `https://example.invalid/${marker}`;
  if (schema.format === "date-time") return new Date(1_700_000_000_000 + random.int(0, 1e11)).toISOString();
  const hex = /^\^\[0-9a-f\]\{(\d+)\}\$$/.exec(schema.pattern ?? "")?.[1];
  if (hex !== undefined)
    return Array.from({ length: Number(hex) }, () => random.int(0, 15).toString(16)).join("");
  if (schema.pattern?.startsWith("^\\d")) return String(random.int(1, 30));
  if (name === "prefix") return `${marker}/`;
  if (name === "pattern") return `${marker}.*`;
  const max = Math.max(schema.maxLength ?? 100, 0);
  return `${marker}${random.chance(0.3) ? random.pick([" \u{1f415}", "-ü", "-'\";--", "-%s", "-../x"]) : ""}`.slice(
    0,
    max,
  );
}

function uuid(random: Random): string {
  const digits = Array.from({ length: 32 }, () => random.int(0, 15).toString(16)).join("");
  const parts = [
    digits.slice(0, 8),
    digits.slice(8, 12),
    `4${digits.slice(13, 16)}`,
    `8${digits.slice(17, 20)}`,
  ];
  return [...parts, digits.slice(20)].join("-");
}
