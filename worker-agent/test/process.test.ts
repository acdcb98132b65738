import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { type RunningCommand, startCommand } from "../src/process.ts";
import { isGroupAlive } from "../src/process-group.ts";
import { eventually, fileAppears, program } from "./commands.ts";

const longMs = 60_000; // far beyond any test: whoever waits for it fails

async function start(text: string) {
  const workdir = mkdtempSync(join(tmpdir(), "kelpie-process-"));
  onTestFinished(() => rmSync(workdir, { recursive: true, force: true }));
  const started = await startCommand({ ...program(text), environment: { ...process.env }, workdir });
  if (!started.ok) throw new Error(started.reason);
  onTestFinished(async () => void (await started.command.stop(0)));
  return { command: started.command, path: (name: string) => join(workdir, name) };
}

const child = (text: string) =>
  `require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(`const fs = require("fs");\n${text}`)}], { stdio: "ignore" });`;
const forever = "setInterval(() => {}, 1000);";

test("an interrupted command may save its work and say how it ended", async () => {
  const { command, path } = await start(`
    process.on("SIGTERM", () => { fs.writeFileSync("saved", ""); process.exit(5); });
    fs.writeFileSync("ready", ""); ${forever}`);
  await fileAppears(path("ready"));
  expect(await command.stop(longMs)).toEqual({ exitCode: 5, signal: null });
  readFileSync(path("saved"));
});

test("a command that ignores the interruption is killed after its grace", async () => {
  const { command, path } = await start(`
    process.on("SIGTERM", () => {}); fs.writeFileSync("ready", ""); ${forever}`);
  await fileAppears(path("ready"));
  expect(await command.stop(100)).toEqual({ exitCode: null, signal: "SIGKILL" });
});

test("a hurried stop does not wait for the grace", async () => {
  const { command, path } = await start(`
    process.on("SIGTERM", () => fs.writeFileSync("ignored", "")); fs.writeFileSync("ready", ""); ${forever}`);
  await fileAppears(path("ready"));
  const hurry = new AbortController();
  const stopped = command.stop(longMs, "SIGTERM", hurry.signal);
  await fileAppears(path("ignored"));
  hurry.abort();
  expect(await stopped).toMatchObject({ signal: "SIGKILL" });
});

test("a wrapper dies at once: the program behind it still gets its grace to save", async () => {
  const { command, path } = await start(
    `${child(`
      process.on("SIGTERM", () => setTimeout(() => { fs.writeFileSync("saved", ""); process.exit(0); }, 100));
      fs.writeFileSync("ready", ""); ${forever}`)} ${forever}`,
  );
  await fileAppears(path("ready"));
  expect(await command.stop(longMs)).toMatchObject({ signal: "SIGTERM" });
  readFileSync(path("saved"));
});

test("what a command leaves behind in its group is ended with it", async () => {
  const { command } = await start(
    `${child(`fs.writeFileSync("ready", ""); ${forever}`)}
     const look = setInterval(() => fs.existsSync("ready") && process.exit(0), 10);`,
  );
  expect(await command.exited).toEqual({ exitCode: 0, signal: null });
  await expect.poll(() => isGroupAlive((command as RunningCommand).groupId), eventually).toBe(false);
});

test("a command that cannot be started is told as a shell would tell it", async () => {
  const settings = { arguments: [], environment: {}, workdir: tmpdir() };
  expect(await startCommand({ command: "/no/such/command", ...settings })).toMatchObject({
    ok: false,
    exitCode: 127,
    fault: "job",
  });
  expect(await startCommand({ command: tmpdir(), ...settings })).toMatchObject({ ok: false, exitCode: 126 });
  const huge = { ...settings, arguments: ["x".repeat(3_000_000)] };
  expect(await startCommand({ command: process.execPath, ...huge })).toMatchObject({
    ok: false,
    exitCode: 126,
    fault: "job",
  });
});

test("a working directory that is gone is the node's trouble and not the job's", async () => {
  const workdir = mkdtempSync(join(tmpdir(), "kelpie-process-"));
  rmSync(workdir, { recursive: true });
  const start = await startCommand({ ...program(""), environment: {}, workdir });
  expect(start).toMatchObject({ ok: false, fault: "node", reason: expect.stringContaining(workdir) });
});
