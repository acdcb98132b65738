/** The OpenAPI document, made of the routes' own schemas and their declared access (docs/decisions/0003). */
import { ZodType } from "zod";
import { apiVersion } from "../../contract/index.ts";
import { type DocumentedRoute, refusals } from "../operation.ts";
import { componentsOf, type JsonSchema, Schemas } from "./schemas.ts";
import { securityOf, securitySchemes } from "./security.ts";

const about =
  "A job queue that shepherds very long jobs to completion on interruptible GPU nodes. A group's nodes claim its jobs, renew their leases and report how they ended. Unknown fields are ignored; bodies are JSON whatever the Content-Type says; errors are JSON `{error, message}`. Times are ISO 8601 in UTC, durations in seconds, sizes in bytes.";

const tags = [
  { name: "Jobs", description: "From submission to their end" },
  { name: "Agents", description: "What nodes ask and report" },
  { name: "Files", description: "Managed storage for people" },
  { name: "Storage", description: "URLs that the API signs itself" },
  { name: "Users", description: "Users and their tokens" },
  { name: "Health", description: "Whether the API works" },
];

interface Content {
  schema?: ZodType | JsonSchema;
  /** What stands in the document instead: for schemas that check one by one. */
  documented?: ZodType;
}
interface Body {
  description?: string;
  required?: boolean;
  content?: Record<string, Content>;
}
type Where = "query" | "params" | "headers";

/** The document of these routes, as JSON can hold it. */
export function buildDocument(routes: DocumentedRoute[]) {
  const [inputs, outputs] = [new Schemas("input"), new Schemas("output")];
  const complete = routes.map((route) => ({ ...route, responses: responsesOf(route) }));
  for (const { request, responses } of complete) {
    for (const schema of [request?.query, request?.params, request?.headers]) {
      if (schema instanceof ZodType) inputs.add(schema);
    }
    eachSchema([(request?.body ?? {}) as Body], (schema) => inputs.add(schema));
    eachSchema(Object.values(responses) as Body[], (schema) => outputs.add(schema));
  }

  const paths: Record<string, Record<string, unknown>> = {};
  const parts: { requests: unknown[]; responses: unknown[] } = { requests: [], responses: [] };
  for (const route of complete) {
    const { body } = route.request ?? {};
    const request = {
      parameters: (["params", "query", "headers"] as const).flatMap((where) =>
        parametersOf(inputs, where, route.request?.[where]),
      ),
      ...(body ? { requestBody: { required: body.required, ...bodyOf(inputs, body as Body) } } : {}),
    };
    const responses = Object.fromEntries(
      Object.entries(route.responses).map(([status, answer]) => [
        status,
        responseOf(outputs, status, answer as Body),
      ]),
    );
    parts.requests.push(request);
    parts.responses.push(responses);
    paths[route.path] ??= {};
    Object.assign(paths[route.path] as object, {
      [route.method]: {
        operationId: operationIdOf(route),
        tags: route.tags,
        summary: route.summary,
        ...(route.description === undefined ? {} : { description: route.description }),
        security: securityOf(route.access),
        ...request,
        responses,
      },
    });
  }
  const known = new Set(routes.flatMap((route) => route.tags ?? []));
  return {
    openapi: "3.1.0",
    info: { title: "Kelpie at the edge", version: apiVersion, description: about },
    servers: [{ url: "/" }],
    tags: tags.filter(({ name }) => known.has(name)),
    paths,
    components: { securitySchemes, schemas: componentsOf(parts, inputs, outputs) },
  };
}

/** The route's own answers, and those that come before its handler or out of the middle of it. */
function responsesOf({ access, request, responses }: DocumentedRoute): Record<string, unknown> {
  const asksWho = access === "anyone" ? {} : refusals(400, 401, 403, 429, 503);
  const isBounded =
    "application/json" in ((request?.body as Body | undefined)?.content ?? {}) ? refusals(413) : {};
  // An id that cannot exist is like any unknown one.
  const hasIds = request?.params ? refusals(404) : {};
  return { ...asksWho, ...isBounded, ...hasIds, ...responses };
}

function eachSchema(bodies: Body[], tell: (schema: ZodType) => void): void {
  for (const { schema, documented } of bodies.flatMap(({ content }) => Object.values(content ?? {}))) {
    const shown = documented ?? schema;
    if (shown instanceof ZodType) tell(shown);
  }
}

const placeOf = { params: "path", query: "query", headers: "header" } as const;

function parametersOf(schemas: Schemas, where: Where, schema: unknown) {
  if (!(schema instanceof ZodType)) return [];
  const { properties = {}, required = [] } = schemas.inPlace(schema);
  return Object.entries(properties as Record<string, JsonSchema>).map(
    ([name, { description, ...property }]) => ({
      name,
      in: placeOf[where],
      required: where === "params" || required.includes(name),
      description,
      // Several values in one, separated by commas.
      ...(property.type === "array" ? { style: "form", explode: false } : {}),
      schema: property,
    }),
  );
}

function bodyOf(schemas: Schemas, { description, content = {} }: Body) {
  const shown = Object.entries(content).map(([type, { schema, documented }]) => {
    const asked = documented ?? schema;
    return [type, { schema: asked instanceof ZodType ? schemas.of(asked) : asked }] as const;
  });
  return {
    ...(description === undefined ? {} : { description }),
    ...(shown.length === 0 ? {} : { content: Object.fromEntries(shown) }),
  };
}

const retryAfter = {
  description: "Seconds after which to ask again",
  schema: { type: "integer", minimum: 0 },
};

function responseOf(schemas: Schemas, status: string, answer: Body) {
  const mayPass = status === "429" || status === "503";
  return { ...(mayPass ? { headers: { "Retry-After": retryAfter } } : {}), ...bodyOf(schemas, answer) };
}

/** `GET /jobs/{id}/attempts` → `getJobsByIdAttempts`. */
function operationIdOf({ method, path }: Pick<DocumentedRoute, "method" | "path">): string {
  const words = path.replaceAll("{", "by-").match(/[a-z]+/g) ?? [];
  return [method, ...words].map((word, index) => (index === 0 ? word : capital(word))).join("");
}

const capital = (word: string) => `${word[0]?.toUpperCase()}${word.slice(1)}`;
