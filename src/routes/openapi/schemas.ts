/**
 * From the zod schemas of the routes to JSON Schema, which is what OpenAPI 3.1 speaks. Objects, unions and enums that src/contract exports
 * become components by the name of their export; all else stands where it is used.
 */
import { type ZodType, z } from "zod";
import * as contract from "../../contract/index.ts";

export type JsonSchema = z.core.JSONSchema.JSONSchema;

const componentsAt = "#/components/schemas/";

/** What becomes a component: things that people have a word for. Texts and numbers with their bounds are said in place. */
function isNamed(schema: unknown): schema is ZodType {
  return (
    schema instanceof z.ZodObject ||
    schema instanceof z.ZodUnion ||
    schema instanceof z.ZodDiscriminatedUnion ||
    schema instanceof z.ZodEnum
  );
}
const named = new Map<ZodType, string>();
for (const [name, schema] of Object.entries(contract)) if (isNamed(schema)) named.set(schema, name);

/** All schemas of one direction: what is sent may leave out what has a default, what is answered may not. */
export class Schemas {
  readonly #direction: "input" | "output";
  readonly #unnamed = new Map<ZodType, string>();
  #converted: Record<string, JsonSchema> | undefined;

  constructor(direction: "input" | "output") {
    this.#direction = direction;
  }

  /** Has to be told of every schema before the first is asked for. */
  add(schema: ZodType): void {
    if (this.#converted) throw new Error("a schema came after the conversion");
    if (named.has(schema) || this.#unnamed.has(schema)) return;
    this.#unnamed.set(schema, `unnamed ${this.#unnamed.size}`);
  }

  /** By reference where it has a name. */
  of(schema: ZodType): JsonSchema {
    const name = named.get(schema);
    return name === undefined ? this.inPlace(schema) : { $ref: `${componentsAt}${name}` };
  }

  inPlace(schema: ZodType): JsonSchema {
    const name = named.get(schema) ?? this.#unnamed.get(schema);
    const converted = name === undefined ? undefined : this.byName(name);
    if (!converted) throw new Error("a schema was not told of");
    return converted;
  }

  byName(name: string): JsonSchema | undefined {
    this.#converted ??= convert([...named, ...this.#unnamed], this.#direction);
    return this.#converted[name];
  }
}

function convert(schemas: [ZodType, string][], io: "input" | "output"): Record<string, JsonSchema> {
  const registry = z.registry<{ id: string }>();
  for (const [schema, id] of schemas) registry.add(schema, { id });
  const converted = z.toJSONSchema(registry, {
    io,
    uri: (id) => `${componentsAt}${id}`,
    // What a schema only checks, or makes of a text, has no words there; the test of the document finds what says nothing at all.
    unrepresentable: "any",
    override: ({ zodSchema, jsonSchema }) => {
      simplify(jsonSchema);
      // zod leaves it out where the value is made of a text first.
      if (zodSchema instanceof z.ZodDefault)
        jsonSchema.default ??= zodSchema.def.defaultValue as JsonSchema["default"];
    },
  });
  for (const schema of Object.values(converted.schemas)) {
    delete schema.$schema;
    delete schema.$id;
  }
  return converted.schemas as Record<string, JsonSchema>;
}

function simplify(schema: JsonSchema): void {
  // Later versions may answer more.
  if (schema.additionalProperties === false) delete schema.additionalProperties;
  // The format says it, in a word.
  if (schema.format === "date-time" || schema.format === "uuid") delete schema.pattern;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
}

/** The components that these parts of the document refer to, and those that they refer to in turn. */
export function componentsOf(
  parts: { requests: unknown; responses: unknown },
  inputs: Schemas,
  outputs: Schemas,
): Record<string, JsonSchema> {
  const sent = reached(parts.requests, inputs);
  const answered = reached(parts.responses, outputs);
  for (const [name, schema] of sent) {
    const other = answered.get(name);
    if (other === undefined || JSON.stringify(other) === JSON.stringify(schema)) continue;
    throw new Error(`${name} is not the same in requests and in answers: give each a schema of its own`);
  }
  return Object.fromEntries([...sent, ...answered].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function reached(part: unknown, schemas: Schemas): Map<string, JsonSchema> {
  const found = new Map<string, JsonSchema>();
  const look = (value: unknown) => {
    if (typeof value !== "object" || value === null) return;
    const { $ref } = value as { $ref?: unknown };
    if (typeof $ref === "string") {
      const name = $ref.slice(componentsAt.length);
      const schema = schemas.byName(name);
      if (schema && !found.has(name)) {
        found.set(name, schema);
        look(schema);
      }
    }
    for (const inner of Object.values(value)) look(inner);
  };
  look(part);
  return found;
}
