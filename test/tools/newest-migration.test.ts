import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { apiVersion } from "../../src/contract/index.ts";
import { newestMigration } from "../../src/db/migrations-applied.ts";
import { projectRoot } from "../../tools/project.ts";

it("GET /ready asks for the newest of the migrations", () => {
  const files = readdirSync(join(projectRoot, "migrations")).filter((name) => name.endsWith(".sql"));
  expect(files.sort().at(-1)).toBe(newestMigration);
});

it("the OpenAPI document has the version of package.json", () => {
  const { version } = JSON.parse(readFileSync(join(projectRoot, "package.json"), "utf8"));
  expect(apiVersion).toBe(version);
});
