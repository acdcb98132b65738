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
}

export interface Operation {
  method: string;
  path: string;
  parameters: Parameter[];
  body?: { json?: Schema; isBytes: boolean };
  responses: Set<string>;
}

export interface Document {
  operations: Operation[];
  schemas: Record<string, Schema>;
}

interface RawOperation {
  parameters?: Parameter[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, unknown>;
}

export function readDocument(text: string): Document {
  const raw = JSON.parse(text) as {
    paths: Record<string, Record<string, RawOperation>>;
    components: { schemas: Record<string, Schema> };
  };
  const operations = Object.entries(raw.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { parameters = [], requestBody, responses }]): Operation => {
      const { content } = requestBody ?? {};
      const json = content?.["application/json"]?.schema;
      return {
        method: method.toUpperCase(),
        path,
        parameters,
        ...(content ? { body: { json, isBytes: json === undefined } } : {}),
        responses: new Set(Object.keys(responses)),
      };
    }),
  );
  return { operations, schemas: raw.components.schemas };
}
