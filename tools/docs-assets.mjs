/**
 * Puts Swagger UI where the API serves it from (public/docs). Wrangler runs it before each `dev` and `deploy` (wrangler.toml, [build]), so
 * that nobody has to; it is JavaScript, since that is whatever Node is first in the PATH.
 */
import { copyFileSync, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const from = dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
const to = join(import.meta.dirname ?? dirname(new URL(import.meta.url).pathname), "../public/docs");

mkdirSync(to, { recursive: true });
for (const name of ["swagger-ui-bundle.js", "swagger-ui.css"]) {
  // Not again when it is there: `wrangler dev` starts anew when an asset changes.
  if (!isSame(join(from, name), join(to, name))) copyFileSync(join(from, name), join(to, name));
}

function isSame(one, other) {
  try {
    return readFileSync(one).equals(readFileSync(other));
  } catch {
    return false;
  }
}
