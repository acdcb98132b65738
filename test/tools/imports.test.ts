import { readdirSync, readFileSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { describe, expect, it } from "vitest";
import { findForbiddenImports, importsOf } from "../../tools/import-table.ts";
import { projectRoot } from "../../tools/project.ts";

function sourcesOf(folder: string): string[] {
  return readdirSync(join(projectRoot, folder), { withFileTypes: true, recursive: true })
    .filter(
      (entry) => entry.isFile() && entry.name.endsWith(".ts") && !entry.parentPath.includes("node_modules"),
    )
    .map((entry) => relative(projectRoot, join(entry.parentPath, entry.name)).split(sep).join("/"));
}

it("src and worker-agent keep to the import table", () => {
  // Generated; it names the Worker's entry to type the bindings, and nothing runs of it.
  const generated = "src/bindings.d.ts";
  const paths = [...sourcesOf("src"), ...sourcesOf("worker-agent")].filter((path) => path !== generated);
  expect(paths.length).toBeGreaterThan(10);
  const broken = paths.flatMap((path) =>
    findForbiddenImports(path, readFileSync(join(projectRoot, path), "utf8")),
  );
  expect(broken).toEqual([]);
});

it("what judges the API from outside takes nothing from it", () => {
  for (const folder of ["test/conformance", "test/kelpie-worker/double"]) {
    const paths = sourcesOf(folder);
    expect(paths.length, folder).toBeGreaterThan(3);
    const broken = paths.flatMap((path) =>
      findForbiddenImports(path, readFileSync(join(projectRoot, path), "utf8")),
    );
    expect(broken).toEqual([]);
  }
});

describe("the import table", () => {
  it.each([
    ["src/db/leases/claim.ts", 'import { x } from "../../routes/jobs/index.ts";', "db may not import routes"],
    ["src/domain/lease.ts", 'import type { JobRow } from "../db/schema.ts";', "domain may not import db"],
    ["src/group/engine.ts", 'export { sign } from "../storage/sign-url.ts";', "group may not import storage"],
    ["src/routes/health.ts", 'import "../cron/sweep.ts";', "routes may not import cron"],
    ["src/contract/job.ts", 'import { join } from "node:path";', 'may not import "node:path"'],
    ["src/contract/job.ts", 'import { Hono } from "hono";', 'may not import "hono"'],
    [
      "src/domain/lease.ts",
      'const x = await import("cloudflare:workers");',
      'may not import "cloudflare:workers"',
    ],
    ["src/middleware/authenticate.ts", 'type A = import("../app.ts").App;', "middleware may not import app"],
    ["src/app.ts", 'import { main } from "../worker-agent/src/main.ts";', "outside of src"],
    ["src/app.ts", "const x = await import(name);", "imports by a computed name"],
    ["src/app.ts", 'import { x } from "./helpers/x.ts";', '"helpers" has no place'],
    ["src/helpers/x.ts", 'import { z } from "zod";', '"helpers" has no place'],
    [
      "worker-agent/src/main.ts",
      'import { lease } from "../../src/domain/lease.ts";',
      "nothing else of the API",
    ],
    ["worker-agent/src/main.ts", 'import { env } from "cloudflare:workers";', "the agent may not import"],
    [
      "test/conformance/routes/get.test.ts",
      'import type { Job } from "../../../src/contract/index.ts";',
      "takes nothing from the project, not src/contract",
    ],
    [
      "test/conformance/support/call.ts",
      'import { startLocalApi } from "../../../tools/local-api.ts";',
      "takes nothing from the project, not tools/local-api.ts",
    ],
    ["test/conformance/support/call.ts", 'import { z } from "zod";', 'may not import "zod"'],
    [
      "test/kelpie-worker/double/main.ts",
      'import { Agent } from "../../../worker-agent/src/agent.ts";',
      "takes nothing from the project",
    ],
    [
      "src/db/jobs/list.ts",
      'import {\n  a,\n  b, // "from" a list\n} from "../../group/engine.ts";',
      "db may not import group",
    ],
  ])("refuses %s: %s", (path, source, why) => {
    expect(findForbiddenImports(path, source)).toEqual([expect.stringContaining(why)]);
  });

  it.each([
    ["src/contract/job.ts", 'import { z } from "zod";\nimport { limits } from "./limits.ts";'],
    ["src/domain/lease.ts", 'import type { AttemptEnd } from "../contract/index.ts";'],
    ["src/routes/jobs/list.ts", 'import { jobs } from "../../db/schema.ts";'],
    ["src/cron/sweep.ts", 'import type { GroupApi } from "../group/protocol.ts";'],
    ["src/index.ts", 'export { ContainerGroup } from "./group/container-group.ts";'],
    ["worker-agent/src/api/client.ts", 'import { Job } from "../../../src/contract/index.ts";'],
    ["worker-agent/src/process.ts", 'import { spawn } from "node:child_process";'],
    [
      "test/conformance/routes/get.test.ts",
      'import { it } from "vitest";\nimport { call } from "../support/call.ts";',
    ],
    ["test/kelpie-worker/double/main.ts", 'import { spawn } from "node:child_process";'],
    ["src/domain/lease.ts", '// import { x } from "../routes/y.ts";\n/* import "../app.ts" */'],
    ["src/domain/lease.ts", 'const text = "https://example.com"; // from "../app.ts"'],
  ])("allows %s: %s", (path, source) => {
    expect(findForbiddenImports(path, source)).toEqual([]);
  });

  it("reads every form of import", () => {
    const source = `
      import one from "one";
      import type { Two } from 'two';
      import * as three from "three";
      import "four";
      export * from "five";
      export { six } from "six";
      const seven = await import("seven");
      type Eight = import("eight").Eight;
      export const from = "nine";
      const ten = ["import x from 'ten'"];
    `;
    expect(importsOf(source)).toEqual(["one", "two", "three", "four", "five", "six", "seven", "eight"]);
  });
});
