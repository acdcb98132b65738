/**
 * Who may import whom. The layers of src point one way, from the last to the first; peers of one layer leave each
 * other alone. A type-only import binds as much as any other: who needs to know a type needs to know its owner.
 */
import { posix } from "node:path";

/** First to last: each may import all before it. A new top-level file or folder of src must find its place here. */
const layers = [
  ["contract"],
  ["domain"],
  ["env", "db", "http", "log"],
  ["webhooks"],
  ["group", "storage", "salad"],
  ["middleware", "scaling"],
  ["routes", "cron"],
  ["app"],
  ["index"],
];

/** Layers that run in any runtime, and all that they may take from outside. */
const anyRuntime = new Map([
  ["contract", ["zod"]],
  ["domain", ["zod"]],
]);

/**
 * What judges the API from outside, or speaks to it as a stranger does: takes nothing from what it is to find fault with, not even by
 * way of a tool. From outside the project these packages, and Node's own.
 */
const outsiders = [
  { folder: "test/conformance/", packages: ["vitest", "ajv/dist/2020.js", "ajv-formats"] },
  { folder: "test/kelpie-worker/double/", packages: ["aws4fetch", "fast-xml-parser"] },
];

const layerOf = (part: string) => layers.findIndex((peers) => peers.includes(part));

/** `path` relative to the repository's top, with `/`. Returns what is wrong, in words; empty: nothing. */
export function findForbiddenImports(path: string, source: string): string[] {
  return importsOf(source).flatMap((specifier) => {
    const why = specifier === null ? "imports by a computed name" : whyForbidden(path, specifier);
    return why ? [`${path}: ${why}`] : [];
  });
}

function whyForbidden(path: string, specifier: string): string | null {
  const target = specifier.startsWith(".") ? posix.join(posix.dirname(path), specifier) : null;
  if (path.startsWith("worker-agent/")) return whyAgentMayNot(specifier, target);
  const outsider = outsiders.find(({ folder }) => path.startsWith(folder));
  if (outsider) return whyOutsiderMayNot(outsider, specifier, target);

  const from = partOf(path);
  if (layerOf(from) < 0) return `"${from}" has no place in the import table (tools/import-table.ts)`;
  if (target === null) {
    const allowed = anyRuntime.get(from);
    return allowed && !allowed.includes(specifier)
      ? `${from} runs anywhere and may not import "${specifier}"`
      : null;
  }
  if (!target.startsWith("src/")) return `imports ${target}, outside of src`;
  const to = partOf(target);
  if (to === from) return null;
  if (layerOf(to) < 0) return `"${to}" has no place in the import table (tools/import-table.ts)`;
  return layerOf(to) < layerOf(from) ? null : `${from} may not import ${to} (${specifier})`;
}

function whyAgentMayNot(specifier: string, target: string | null): string | null {
  if (target === null) {
    return specifier.startsWith("cloudflare:") ? `the agent may not import "${specifier}"` : null;
  }
  if (target.startsWith("worker-agent/") || target.startsWith("src/contract/")) return null;
  return `the agent may import src/contract and nothing else of the API, not ${target}`;
}

function whyOutsiderMayNot(
  { folder, packages }: (typeof outsiders)[number],
  specifier: string,
  target: string | null,
): string | null {
  if (target !== null) {
    return target.startsWith(folder) ? null : `${folder} takes nothing from the project, not ${target}`;
  }
  return specifier.startsWith("node:") || packages.includes(specifier)
    ? null
    : `${folder} may not import "${specifier}"`;
}

/** src/app.ts → app; src/routes/jobs/list.ts → routes. */
function partOf(path: string): string {
  return (path.split("/")[1] ?? "").replace(/\.(d\.)?ts$/, "");
}

/**
 * Specifiers of `import … from`, `export … from`, `import "…"`, `import("…")` and types by `import("…")`; null for a
 * name that is computed. A tokenizer small enough to trust: comments go first, and import clauses hold no quotes.
 */
export function importsOf(source: string): (string | null)[] {
  const code = withoutComments(source);
  const literal = `(["'])([^"'\\n]*)\\1`;
  const statements = new RegExp(`^\\s*(?:import|export)\\b(?:[^"'\`;=()]*?\\bfrom)?\\s*${literal}`, "gm");
  const calls = new RegExp(`\\bimport\\s*\\(\\s*(?:${literal}|[^)\\s])`, "g");
  return [
    ...[...code.matchAll(statements)].map((match) => match[2] ?? null),
    ...[...code.matchAll(calls)].map((match) => match[2] ?? null),
  ];
}

/** Strings are skipped whole, so that a "//" of a URL is no comment; regular expressions hold neither in practice. */
function withoutComments(source: string): string {
  const tokens = /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return source.replace(tokens, (token) => (token.startsWith("/") ? " " : token));
}
