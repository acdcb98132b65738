/** The README's "Submit a job", pasted into a shell as a stranger would, in a fresh copy of the checkout. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LocalApi, startLocalApi } from "../../tools/local-api.ts";
import { openBucket } from "../../tools/local-client.ts";
import { startProcess } from "../../tools/processes/managed-process.ts";
import { projectRoot } from "../../tools/project.ts";

// What the README asks a stranger to have; a machine without them cannot follow it.
const missing = ["bash", "curl", "jq"].filter((tool) => spawnSync(tool, ["--version"]).status !== 0);

let directory: string;
let checkout: string;
let api: LocalApi;

beforeAll(async () => {
  if (missing.length > 0) return;
  directory = mkdtempSync(join(tmpdir(), "kelpie-readme-"));
  checkout = join(directory, "checkout");
  mkdirSync(checkout);
  // Copies, so that whatever a block spoils is not the real thing; only the packages are too many for that.
  for (const path of ["package.json", "src", "worker-agent"]) {
    cpSync(join(projectRoot, path), join(checkout, path), { recursive: true });
  }
  symlinkSync(join(projectRoot, "node_modules"), join(checkout, "node_modules"));
  // The agent empties directories of these names wherever it is started.
  for (const name of ["input", "output", "checkpoint"]) {
    mkdirSync(join(checkout, name));
    writeFileSync(join(checkout, name, "precious.txt"), "of the stranger");
  }
  api = await startLocalApi({ persistTo: join(directory, "api") });
});
afterAll(async () => {
  await api?.stop();
  if (directory) rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

/** A section's shell blocks. */
function readBlocks(heading: string): string[] {
  const readme = readFileSync(join(projectRoot, "README.md"), "utf8");
  const section = new RegExp(`^${heading}\\n(.*?)^#{2,3} `, "ms").exec(readme)?.[1] ?? "";
  return [...section.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block ?? "");
}

/** Every file of the checkout outside of dist/ and the packages. */
const filesOutsideDist = () =>
  (readdirSync(checkout, { recursive: true }) as string[])
    .filter((path) => !/^(dist|node_modules)(\/|$)/.test(path))
    .sort();

/** `bash -e`: a stranger would stop at the first error, too. */
async function paste(script: string): Promise<{ code: number | null; said: string }> {
  const lines: string[] = [];
  const { PATH, HOME } = process.env;
  const shell = startProcess("bash", ["-euo", "pipefail", "-c", script], {
    cwd: checkout,
    env: { PATH, HOME },
    onLine: (line) => lines.push(line),
  });
  const { code } = await shell.exited;
  return { code, said: lines.join("\n") };
}

it.skipIf(missing.length > 0)(
  `the README's job completes, and nothing outside of dist/ changes${missing.length > 0 ? ` (missing here: ${missing})` : ""}`,
  async () => {
    // The API's start, user and job, the agent, a look at the result; and files without S3 keys.
    const [start, submit, agent, look, ...others] = readBlocks("## Submit a job");
    const [files] = readBlocks("### Files and results without S3 keys");
    expect(start).toBe("npm run dev\n");
    expect(others).toEqual([]);
    const before = filesOutsideDist();
    const here = (submit ?? "").replace("http://127.0.0.1:8787", api.url);
    expect(here).not.toBe(submit);
    // The last look goes through wrangler into the checkout's own state; the bucket is asked below instead.
    const lookByHttp = (look ?? "").replace(/^npm run .*wrangler.*\n/m, "");

    const { code, said } = await paste([here, agent, lookByHttp, files].join("\n"));
    expect(code, said).toBe(0);
    expect(said).toContain('"status": "completed"');
    expect(said).toContain('"machine_id": "my-laptop"');
    expect(said).toContain("inputs/a.txt, 10 bytes");
    expect(said).toMatch(/some input\s*some input/);
    const written = await openBucket(api.s3Endpoint).get("hello/hello.txt");
    expect(written).toBe("hello from my-laptop\n");
    expect(filesOutsideDist()).toEqual(before);

    const again = await paste(here);
    expect(again.code, "the name is taken").not.toBe(0);
    expect(again.said).toMatch(/username.*taken|taken.*username|exists/i);
    expect(again.said).not.toContain("null");
  },
);
