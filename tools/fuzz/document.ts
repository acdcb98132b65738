/** What of an OpenAPI document the fuzz reads. */
export interface Schema {
  $ref?: string;
  type?: string | string[];
  format?: string;
  pattern?: string;
  enum?: unknown[];
  const?: unknown;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  additionalProperties?: Schema | boolean;
  propertyNames?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
}

export interface Parameter {
  name: string;
  in: "path" | "query" | "header";
  required: boolean;
  schema: Schema;
  /** What answers and bodies call it. */
  fact: string;
}

/** Where the body is bytes, the proof of the lease is a header. */
const factOfHeader: Record<string, string> = { "X-Kelpie-Lease": "lease_token" };

/** Whose credential: the admin's, a user's, or that of a node of a user's. */
export const roles = ["admin", "user", "node"] as const;
export type Role = (typeof roles)[number];

export interface Operation {
  method: string;
  path: string;
  /** Both, as reports and memories name it. */
  route: string;
  parameters: Parameter[];
  body?: { json?: Schema; isBytes: boolean };
  /** Names that a request has to have: of parameters, and of fields of the body. */
  required: string[];
  responses: Set<string>;
  /** Names of fields that an accepted request is answered with, of the answer itself or of each entry of its lists. */
  tells: Set<string>;
  /** Who may, by the credentials that the document names. */
  mayCall: readonly Role[];
}

export interface Document {
  operations: Operation[];
  schemas: Record<string, Schema>;
}

type Content = Record<string, { schema: Schema }>;
interface RawOperation {
  parameters?: Omit<Parameter, "fact">[];
  requestBody?: { content: Content };
  responses: Record<string, { content?: Content }>;
  security?: Record<string, unknown>[];
}

export function readDocument(text: string): Document {
  const raw = JSON.parse(text) as {
    paths: Record<string, Record<string, RawOperation>>;
    components: { schemas: Record<string, Schema> };
  };
  const { schemas } = raw.components;
  const operations = Object.entries(raw.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([name, { parameters = [], requestBody, responses, security }]): Operation => {
        const { content } = requestBody ?? {};
        const json = content?.["application/json"]?.schema;
        const method = name.toUpperCase();
        return {
          method,
          path,
          route: `${method} ${path}`,
          parameters: parameters.map((parameter) => ({ ...parameter, fact: factOf(parameter.name) })),
          ...(content ? { body: { json, isBytes: json === undefined } } : {}),
          required: [
            ...parameters.flatMap((parameter) => (parameter.required ? [factOf(parameter.name)] : [])),
            ...(resolved(schemas, json).required ?? []),
          ],
          responses: new Set(Object.keys(responses)),
          tells: toldBy(schemas, responses),
          mayCall: callersOf(security),
        };
      },
    ),
  );
  return { operations, schemas };
}

const factOf = (name: string) => factOfHeader[name] ?? name;

/** The document says which credentials a route takes; the key that all roles have in common says nothing. */
function callersOf(security: RawOperation["security"] = []): readonly Role[] {
  const takes = (scheme: string) => security.some((credential) => scheme in credential);
  if (security.length === 0 || takes("NodeToken")) return roles;
  return takes("SaladApiKey") ? ["admin", "user"] : ["admin"];
}

function toldBy(schemas: Document["schemas"], responses: RawOperation["responses"]): Set<string> {
  const answers = Object.entries(responses).flatMap(([status, { content }]) =>
    status.startsWith("2") ? [resolved(schemas, content?.["application/json"]?.schema)] : [],
  );
  const entries = answers.flatMap((answer) => [
    answer.items,
    ...Object.values(answer.properties ?? {}).map((property) => resolved(schemas, property).items),
  ]);
  const objects = [...answers, ...entries.map((entry) => resolved(schemas, entry))];
  return new Set(objects.flatMap(({ properties }) => Object.keys(properties ?? {})));
}

/** A schema itself, or what it refers to; of none, one that says nothing. */
export function resolved(schemas: Document["schemas"], schema: Schema = {}): Schema {
  if (schema.$ref === undefined) return schema;
  const target = schemas[schema.$ref.split("/").at(-1) ?? ""];
  if (!target) throw new Error(`the document lacks ${schema.$ref}`);
  return target;
}
