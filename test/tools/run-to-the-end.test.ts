/** How a program that plays something ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { projectRoot } from "../../tools/project.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-play-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** `play`: the body of an async function that gets `interrupted`. Its program is sent `signal` once it has said "plays". */
async function played(play: string, signal?: NodeJS.Signals) {
  const program = join(directory, "program.ts");
  const source = join(projectRoot, "tools/processes/run-to-the-end.ts");
  writeFileSync(
    program,
    `import { runToTheEnd } from ${JSON.stringify(source)};
     await runToTheEnd("play", (_directory, interrupted) => ({
       async play() { ${play} },
       closeScreen() { console.log("screen closed"); },
       tails: () => "",
       async clear() { console.log("cleared"); },
     }));`,
  );
  const temporary = mkdtempSync(join(directory, "tmp-"));
  const child = spawn(process.execPath, ["--no-warnings", program], {
    env: { PATH: process.env.PATH, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "ignore"],
  });
  if (signal) child.stdout.once("data", () => child.kill(signal));
  const [stdout, [code]] = await Promise.all([text(child.stdout), once(child, "exit")]);
  return { lines: stdout.trim().split("\n"), code, left: readdirSync(temporary) };
}

const endless = `console.log("plays"); setInterval(() => {}, 1000); await new Promise(() => {});`;

it.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)("%s: it says that there is no verdict, and clears up", async (signal, code) => {
  expect(await played(endless, signal)).toEqual({
    lines: ["plays", "screen closed", "stopped: no verdict", "cleared"],
    ...{ code, left: [] },
  });
});

it("a play that heeds the interruption itself says it once, too", async () => {
  const heeding = `console.log("plays"); setInterval(() => {}, 1000); await new Promise((_, reject) => interrupted.addEventListener("abort", () => reject(new Error("stopped"))));`;
  const { lines, code } = await played(heeding, "SIGINT");
  expect(lines).toEqual(["plays", "screen closed", "stopped: no verdict", "cleared"]);
  expect(code).toBe(130);
});

it("one that comes to a verdict, or fails, does not", async () => {
  expect(await played("return true;")).toEqual({ lines: ["cleared"], code: 0, left: [] });
  expect(await played("return false;")).toEqual({ lines: ["cleared"], code: 1, left: [] });
  const failed = await played(`throw new Error("no");`);
  expect(failed).toEqual({ lines: ["screen closed", "cleared"], code: 1, left: [] });
});
