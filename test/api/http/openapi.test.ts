/** The OpenAPI document: complete, closed, and what the routes really do. */
import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { createApp } from "../../../src/app.ts";
import { JobSubmission, limits } from "../../../src/contract/index.ts";
import { buildDocument } from "../../../src/routes/openapi/document.ts";
import { answer, type DocumentedRoute, jsonBody, routesOf } from "../../../src/routes/operation.ts";
import { send, signUp } from "./client.ts";

type Json = Record<string, unknown>;
interface Operation {
  security: Record<string, string[]>[];
  parameters: { name: string; in: string; required: boolean; description: string; schema: Json }[];
  requestBody?: { content: Record<string, { schema: Json }> };
  responses: Record<string, { content?: Record<string, { schema: Json }>; headers?: Json }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Json>; securitySchemes: Json };
}

let document: Document;
let operations: [string, Operation][];
beforeAll(async () => {
  document = (await send<Document>("GET", "/openapi.json")).body;
  operations = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [
      `${method} ${path}`,
      operation,
    ]),
  );
});

/** Every schema of the document with the path to it: named ones, those of parameters, bodies and answers, and all inside them. */
function schemas(): [string, Json][] {
  const roots: [string, Json][] = Object.entries(document.components.schemas);
  for (const [name, { parameters, requestBody, responses }] of operations) {
    for (const parameter of parameters) roots.push([`${name} ?${parameter.name}`, parameter.schema]);
    for (const [where, body] of Object.entries({ request: requestBody, ...responses })) {
      for (const { schema } of Object.values(body?.content ?? {})) roots.push([`${name} ${where}`, schema]);
    }
  }
  return roots.flatMap(([name, schema]) => within(name, schema));
}

function within(name: string, schema: Json): [string, Json][] {
  const {
    properties = {},
    items,
    additionalProperties,
    prefixItems = [],
    anyOf = [],
    oneOf = [],
    allOf = [],
  } = schema;
  const inner: [string, unknown][] = [
    ...Object.entries(properties as Json).map(([key, value]): [string, unknown] => [`${name}.${key}`, value]),
    ...[items].flatMap((value): [string, unknown][] => (value === undefined ? [] : [[`${name}[]`, value]])),
    ...[additionalProperties].flatMap((value): [string, unknown][] =>
      typeof value === "object" ? [[`${name}{}`, value]] : [],
    ),
    ...[prefixItems, anyOf, oneOf, allOf].flatMap((list) =>
      (list as unknown[]).map((value, index): [string, unknown] => [`${name}|${index}`, value]),
    ),
  ];
  return [[name, schema], ...inner.flatMap(([path, value]) => within(path, value as Json))];
}

function resolved(schema: Json): Json {
  const name = typeof schema.$ref === "string" ? schema.$ref.replace("#/components/schemas/", "") : undefined;
  if (name === undefined) return schema;
  const target = document.components.schemas[name];
  if (!target) throw new Error(`there is no component ${name}`);
  return { ...target, ...schema };
}

describe("the document", () => {
  test("is OpenAPI 3.1, and has every route that the app has", () => {
    expect(document.openapi).toBe("3.1.0");
    const undocumented = ["/bare", "/openapi.json", "/docs"];
    const served = createApp().routes.flatMap(({ method, path }) => {
      if (method === "ALL" || undocumented.includes(path)) return [];
      return [`${method.toLowerCase()} ${path.replaceAll(/:(\w+)({.+?})?/g, "{$1}")}`];
    });
    expect(new Set(operations.map(([name]) => name))).toEqual(new Set(served));
  });

  test("names no schema that it does not have", () => {
    for (const [, schema] of schemas()) resolved(schema);
    expect(document.components.schemas).toMatchObject({
      Job: {},
      JobSubmission: {},
      Sync: {},
      ErrorBody: {},
    });
  });

  test("leaves no schema open: each has a type, each object lists its fields or is a map of texts", () => {
    const maps: string[] = [];
    for (const [path, schema] of schemas()) {
      const says = ["type", "$ref", "anyOf", "oneOf", "const", "enum"].some((word) => word in schema);
      expect(says, `${path} says nothing: ${JSON.stringify(schema)}`).toBe(true);
      if (schema.type !== "object" || Object.keys(schema.properties ?? {}).length > 0) continue;
      expect(schema.additionalProperties, path).toMatchObject({ type: "string" });
      maps.push(path.split(".").at(-1) ?? "");
    }
    expect(new Set(maps)).toEqual(new Set(["environment", "headers"]));
  });

  test("describes every field and every parameter", () => {
    for (const [path, { properties = {} }] of schemas()) {
      for (const [field, schema] of Object.entries(properties as Record<string, Json>)) {
        expect(resolved(schema).description, `${path}.${field}`).toEqual(expect.any(String));
      }
    }
    for (const [name, { parameters }] of operations) {
      for (const parameter of parameters) {
        expect(parameter.description, `${name} ${parameter.name}`).toEqual(expect.any(String));
      }
    }
  });

  test("tells defaults and bounds", () => {
    const submission = document.components.schemas.JobSubmission as { properties: Record<string, Json> };
    expect(submission.properties).toMatchObject({
      arguments: { default: [], maxItems: limits.arguments },
      environment: { default: {}, maxProperties: limits.environmentEntries },
      max_failures: { default: 3, minimum: 1 },
      heartbeat_interval: { default: 30, description: expect.stringContaining("Seconds") },
    });
    const pageSize = document.paths["/jobs"]?.get?.parameters.find(({ name }) => name === "page_size");
    expect(pageSize?.schema).toMatchObject({
      type: "integer",
      default: 100,
      minimum: 1,
      maximum: limits.pageSize,
    });
  });

  test("shows a batch as what it is: jobs", () => {
    const content = document.paths["/jobs/batch"]?.post?.requestBody?.content["application/json"];
    expect(content?.schema).toMatchObject({
      type: "array",
      items: { $ref: "#/components/schemas/JobSubmission" },
      minItems: 1,
      maxItems: limits.batchJobs,
    });
  });

  test("has path parameters for the placeholders of each path, and no others", () => {
    for (const [name, { parameters }] of operations) {
      const placeholders = [...name.matchAll(/{(\w+)}/g)].map((match) => match[1]);
      expect(
        parameters.filter((parameter) => parameter.in === "path").map((parameter) => parameter.name),
      ).toEqual(placeholders);
    }
  });

  test("has an id of its own for each operation", () => {
    const ids = operations.map(
      ([, operation]) => (operation as unknown as { operationId: string }).operationId,
    );
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("names the refusals that any route with a credential can answer, with Retry-After where it is sent", () => {
    for (const [name, { security, responses }] of operations) {
      if (security.length === 0) continue;
      expect(Object.keys(responses), name).toEqual(
        expect.arrayContaining(["400", "401", "403", "429", "503"]),
      );
      expect(responses[503]?.headers, name).toHaveProperty("Retry-After");
    }
    expect(document.paths["/jobs"]?.post?.responses).toHaveProperty("413");
  });
});

describe("the security of each operation is its declared access", () => {
  const saladKey = ["SaladApiKey", "SaladOrganization", "SaladProject"];
  const people = [["KelpieKey"], saladKey];
  const expected = {
    anyone: [],
    admin: [["KelpieKey"]],
    people,
    agents: [...people, ["NodeToken", "SaladProject"]],
  };

  test("and every scheme that is named is there", () => {
    const routes = routesOf(createApp());
    expect(routes.length).toBe(operations.length);
    for (const { method, path, access } of routes) {
      const security = document.paths[path]?.[method]?.security.map((requirement) =>
        Object.keys(requirement),
      );
      expect(security, `${method} ${path}`).toEqual(expected[access]);
    }
    const named = operations.flatMap(([, { security }]) =>
      security.flatMap((requirement) => Object.keys(requirement)),
    );
    expect(new Set(named)).toEqual(new Set(Object.keys(document.components.securitySchemes)));
  });

  test("and true: without a credential exactly the open routes answer something else than 401", async () => {
    for (const [name, { security }] of operations) {
      const [method = "", path = ""] = name.split(" ");
      const { status } = await send(method.toUpperCase(), path.replaceAll(/[{}]/g, ""), {});
      expect(status === 401, name).toBe(security.length > 0);
    }
  });

  test("and true: a user's token is refused by exactly the admin's routes", async () => {
    const { key } = await signUp("nobody special");
    for (const [name, { security }] of operations) {
      const [method = "", path = ""] = name.split(" ");
      if (security.length === 0) continue;
      const { status } = await send(method.toUpperCase(), path.replaceAll(/[{}]/g, ""), { key });
      expect(status === 403, name).toBe(security.length === 1);
    }
  });
});

describe("GET /openapi.json", () => {
  test("can be kept: an ETag, and 304 for who has it", async () => {
    const first = await send("GET", "/openapi.json");
    expect(first.status).toBe(200);
    const etag = first.headers.get("etag") ?? "";
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
    expect(first.headers.get("cache-control")).toContain("max-age");
    const again = await exports.default.fetch(
      new Request("https://api.test/openapi.json", { headers: { "If-None-Match": etag } }),
    );
    expect([again.status, await again.text()]).toEqual([304, ""]);
    const other = await send("GET", "/openapi.json", { headers: { "If-None-Match": '"another"' } });
    expect(other.status).toBe(200);
  });
});

test("one name for two shapes is an error, not a guess", () => {
  const route = (path: string, request: object, responses: object) =>
    ({ method: "post", path, access: "people", request, responses }) as unknown as DocumentedRoute;
  // What it may leave out in a request it has in an answer.
  const both = [route("/a", jsonBody(JobSubmission), { 200: answer(JobSubmission, "The same") })];
  expect(() => buildDocument(both)).toThrow("JobSubmission");
});
