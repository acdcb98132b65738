/** Whatever a command forks and wherever that goes, nothing of it outlives the command; and nobody else is touched. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startCommand } from "../src/process.ts";
import { isStartedWith, readProcess, readProcesses } from "../src/process-table.ts";
import { fileAppears, shell } from "./commands.ts";

const longMs = 60_000; // far beyond any test: whoever waits for it fails

const lives = (pid: number) => {
  const found = readProcess(pid);
  return found !== undefined && !found.zombie;
};

/** Tells its pid, which stays the same, in a file; then stays for ever, whatever it is told. */
const stays = (name: string) =>
  `trap "" TERM INT HUP; echo $$ > ${name}.tmp; mv ${name}.tmp ${name}; exec sleep 1000`;

/** As an argument of a shell's command line. */
const quoted = (script: string) => `'${script.replaceAll("'", `'\\''`)}'`;

/** `script`: puts a process that tells its pid in the file "orphan" somewhere, and goes on. */
async function start(script: string) {
  const workdir = mkdtempSync(join(tmpdir(), "kelpie-orphans-"));
  const started = await startCommand({ ...shell(script), environment: { ...process.env }, workdir });
  if (!started.ok) throw new Error(started.reason);
  onTestFinished(async () => {
    await started.command.stop(0);
    rmSync(workdir, { recursive: true, force: true });
  });
  const path = (name: string) => join(workdir, name);
  const pidIn = async (name: string) => {
    await fileAppears(path(name));
    return Number(readFileSync(path(name), "utf8"));
  };
  return { command: started.command, path, pidIn };
}

const ways: [string, string][] = [
  ["a child in the background", `sh -c ${quoted(stays("orphan"))} &`],
  ["nohup", `nohup sh -c ${quoted(stays("orphan"))} > log 2>&1 &`],
  ["a session of its own", `setsid sh -c ${quoted(stays("orphan"))} &`],
  ["a double fork", `( sh -c ${quoted(stays("orphan"))} & ) &`],
  [
    "a double fork into a session of its own",
    `setsid sh -c ${quoted(`sh -c ${quoted(stays("orphan"))} & exit 0`)} < /dev/null > /dev/null 2>&1 &`,
  ],
  [
    "two sessions, each left by its leader",
    `setsid sh -c ${quoted(`setsid sh -c ${quoted(`sh -c ${quoted(stays("orphan"))} &`)} &`)} &`,
  ],
  [
    "a session of its own without the environment, its parent alive",
    `( env -i PATH="$PATH" setsid sh -c ${quoted(stays("orphan"))}; sleep 1000 ) &`,
  ],
  [
    "without the environment, its parent gone, in the command's session",
    `env -i PATH="$PATH" sh -c ${quoted(`sh -c ${quoted(stays("orphan"))} &`)}`,
  ],
];

test.each(ways)("the command ends by itself: %s does not outlive it", async (_, script) => {
  const { command, pidIn } = await start(`${script}\nwhile [ ! -e orphan ]; do sleep 0.02; done; exit 3`);
  expect(await command.exited).toEqual({ exitCode: 3, signal: null });
  expect(lives(await pidIn("orphan"))).toBe(false);
});

test.each(ways)("the command is stopped: %s does not outlive it", async (_, script) => {
  const { command, pidIn } = await start(`trap "" TERM\n${script}\nwhile :; do sleep 0.02; done`);
  const pid = await pidIn("orphan");
  await command.stop(50);
  expect(lives(pid)).toBe(false);
});

test("a program in a session of its own, its starter dead: it is told to stop too, and has the grace to save", async () => {
  const saves = `trap "touch saved; exit 0" TERM; echo $$ > pid.tmp; mv pid.tmp orphan; while :; do sleep 0.02; done`;
  const { command, path, pidIn } = await start(`setsid sh -c ${quoted(saves)} & sleep 1000`);
  await pidIn("orphan");
  expect(await command.stop(longMs)).toEqual({ exitCode: null, signal: "SIGTERM" });
  readFileSync(path("saved"));
});

test("a program whose starter lives is told by it, and by us not a second time", async () => {
  const counts = `trap "echo told >> told" TERM; echo $$ > pid.tmp; mv pid.tmp orphan; while [ ! -e enough ]; do sleep 0.02; done`;
  const { command, path, pidIn } = await start(`
    setsid sh -c ${quoted(counts)} & child=$!
    trap 'kill -TERM $(cat orphan); while [ ! -s told ]; do sleep 0.02; done; sleep 0.5; touch enough; wait $child; exit 0' TERM
    while :; do sleep 0.02; done`);
  await pidIn("orphan");
  expect(await command.stop(longMs)).toEqual({ exitCode: 0, signal: null });
  expect(readFileSync(path("told"), "utf8")).toBe("told\n");
});

test("a command that forks without end comes to one", async () => {
  const { command, pidIn } = await start(`
    trap "" TERM
    script='echo x >> count; if [ $(wc -l < count) -lt 60 ]; then setsid sh -c "$script" & sh -c "$script" & fi; sleep 1000'
    export script
    setsid sh -c "$script" &
    ${stays("orphan")}`);
  await pidIn("orphan");
  const mark = `KELPIE_RUN_ID=${environmentOf(command.groupId).KELPIE_RUN_ID}`;
  await command.stop(200);
  expect(allWith(mark)).toEqual([]);
});

test("other processes of the same user are left alone, those that ran before and those started since", async () => {
  const bystanders: ChildProcess[] = [];
  const bystander = async (detached: boolean) => {
    const child = spawn("/bin/sh", ["-c", "echo ready; sleep 1000"], {
      detached,
      stdio: ["ignore", "pipe", "ignore"],
    });
    bystanders.push(child);
    onTestFinished(() => void process.kill(detached ? -(child.pid ?? 0) : (child.pid ?? 0), "SIGKILL"));
    await once(child.stdout ?? child, "data");
  };
  await bystander(true);
  const { command, pidIn } = await start(`setsid sh -c ${quoted(stays("orphan"))} & sleep 1000`);
  await pidIn("orphan");
  await bystander(true);
  await bystander(false);
  await command.stop(50);
  expect(bystanders.map(({ pid }) => lives(pid ?? 0))).toEqual([true, true, true]);
});

/** The living processes with this in their environment. */
function allWith(text: string): number[] {
  return (readProcesses() ?? [])
    .filter(({ pid, zombie }) => !zombie && isStartedWith(pid, text))
    .map(({ pid }) => pid);
}

function environmentOf(pid: number): Record<string, string> {
  const entries = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  return Object.fromEntries(
    entries.map((entry) => [entry.split("=")[0], entry.slice(entry.indexOf("=") + 1)]),
  );
}
