import { execFile } from "node:child_process";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import packageJson from "../../package.json" with { type: "json" };
import { projectRoot } from "../../tools/project.ts";

/** Scripts of package.json whose options are our own: `node FILE`. */
const tools = ["chaos", "fuzz", "conformance", "salad", "lab", "simulate", "build:agent", "bench"] as const;

const run = (tool: (typeof tools)[number], ...options: string[]) =>
  new Promise<{ code: unknown; stdout: string; stderr: string }>((resolve) => {
    const [, file = ""] = packageJson.scripts[tool].split(" ");
    execFile(
      process.execPath,
      ["--no-warnings", join(projectRoot, file), ...options],
      { timeout: 60_000 },
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }),
    );
  });

describe.each(tools)("npm run %s", (tool) => {
  test("--help tells what can be given, and does nothing", async () => {
    const { code, stdout, stderr } = await run(tool, "--help");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain(`Usage: npm run ${tool} -- `);
    expect(stdout).toContain("--help");
  });

  test("an option that is none gets two plain lines and exit code 2", async () => {
    const { code, stdout, stderr } = await run(tool, "--no-such-thing");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr.trimEnd().split("\n")).toEqual([
      "error: unknown option '--no-such-thing'",
      `npm run ${tool} -- --help tells what can be given.`,
    ]);
  });
});

test.each([
  {
    tool: "chaos",
    given: ["--minutes", "x"],
    says: "'--minutes <M>' argument 'x' is invalid. It wants a number",
  },
  { tool: "chaos", given: ["--minutes", "0"], says: "a number above 0" },
  { tool: "chaos", given: ["--minutes", ""], says: "a number above 0" },
  { tool: "chaos", given: ["--soak", "9", "--slots", "33"], says: "a whole number from 1 to 32" },
  { tool: "chaos", given: ["--slots", "2"], says: "--slots goes with --soak" },
  { tool: "lab", given: ["--nodes", "51"], says: "a whole number from 1 to 50" },
  { tool: "fuzz", given: ["--requests", "1.5"], says: "a whole number from 1" },
  { tool: "fuzz", given: ["--url", "ftp://x"], says: "no http(s) URL" },
  { tool: "salad", given: ["--port", "65536"], says: "a whole number from 0 to 65535" },
  { tool: "simulate", given: ["--churn", "x"], says: "--churn goes with --scaling" },
  {
    tool: "simulate",
    given: ["--scale-down-cooldown", "0"],
    says: "--scale-down-cooldown goes with --scaling",
  },
  {
    tool: "simulate",
    given: ["--scaling", "--scale-down-cooldown", "86401"],
    says: "a whole number from 0 to 86400",
  },
  {
    tool: "simulate",
    given: ["--scaling", "--hours", "2"],
    says: "cannot be used with option '--hours <H>'",
  },
  { tool: "conformance", given: ["--url", "http://127.0.0.1:1"], says: "--url needs --admin-key" },
  { tool: "bench", given: ["nothing"], says: "Allowed choices are agent, api, storage" },
] as const)("$tool $given is refused in words", async ({ tool, given, says }) => {
  const { code, stdout, stderr } = await run(tool, ...given);
  expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  expect(stderr).toContain(says);
});
