/** Holds answers against the document that the API serves: status, content type, schema. An answer that it does not know is a failure. */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { settings } from "./settings.ts";

interface Operation {
  responses?: Record<string, { content?: Record<string, { schema?: unknown }> } | { $ref: string }>;
}

interface Checked {
  status: number;
  headers: Headers;
  text: string;
  body: unknown;
}

const rootId = "document";
const ajv = new Ajv2020({ strict: false, allErrors: true });
(addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
if (settings.openapi) ajv.addSchema({ ...settings.openapi, $id: rootId });

const validators = new Map<string, ValidateFunction>();

/** `path` without its query. */
export function checkAnswer(method: string, path: string, answer: Checked): void {
  const { openapi } = settings;
  if (!openapi) return;
  const template = templateOf(Object.keys(openapi.paths), path);
  const operation = template && (openapi.paths[template]?.[method.toLowerCase()] as Operation | undefined);
  const asked = `${method} ${path}`;
  if (!template || !operation) {
    throw new Error(`${asked} answered ${answer.status}, and the document knows no such operation`);
  }
  const pointer = ["paths", template, method.toLowerCase(), "responses", String(answer.status)];
  const response = resolve(openapi, pointer) as
    | { content?: Record<string, { schema?: unknown }> }
    | undefined;
  if (!response) {
    throw new Error(
      `${asked} answered ${answer.status}, which is not documented: ${answer.text.slice(0, 300)}`,
    );
  }
  const type = (answer.headers.get("content-type") ?? "").split(";")[0]?.trim() ?? "";
  if (!response.content) {
    if (answer.text !== "") throw new Error(`${asked}: ${answer.status} is documented without a body`);
    return;
  }
  const media = response.content[type] ?? response.content["*/*"];
  if (!media) throw new Error(`${asked}: ${answer.status} came as "${type}", which is not documented`);
  if (media.schema === undefined || type !== "application/json") return;

  const name = pointer.join(" ");
  const validate = validators.get(name) ?? compile(media.schema);
  validators.set(name, validate);
  if (!validate(answer.body)) {
    const problems = ajv.errorsText(validate.errors, { dataVar: "body" });
    throw new Error(
      `${asked}: ${answer.status} is not as documented: ${problems}\n${answer.text.slice(0, 500)}`,
    );
  }
}

/** References inside of a schema are to the document's root. */
function compile(schema: unknown): ValidateFunction {
  const absolute = JSON.parse(JSON.stringify(schema), (key, value) =>
    key === "$ref" && typeof value === "string" && value.startsWith("#") ? rootId + value : value,
  );
  return ajv.compile(absolute);
}

/** The node of the document at that path; a `$ref` on the way is followed. */
function resolve(root: unknown, path: string[]): unknown {
  let node = root;
  for (const step of path) {
    node = (node as Record<string, unknown> | undefined)?.[step];
    const reference = (node as { $ref?: string } | undefined)?.$ref;
    if (reference?.startsWith("#/")) {
      const names = reference.slice(2).split("/");
      node = resolve(
        root,
        names.map((name) => decodeURIComponent(name).replaceAll("~1", "/").replaceAll("~0", "~")),
      );
    }
  }
  return node;
}

/** The template with the most literal segments that fits: `/users/me` before `/users/{id}`. */
function templateOf(templates: string[], path: string): string | undefined {
  const segments = path.split("/");
  const fitting = templates.filter((template) => {
    const parts = template.split("/");
    return (
      parts.length === segments.length &&
      parts.every((part, index) => (part.startsWith("{") ? segments[index] !== "" : part === segments[index]))
    );
  });
  const wildcards = (template: string) => template.split("{").length;
  return fitting.sort((a, b) => wildcards(a) - wildcards(b))[0];
}
