/** A job of managed storage alone, on an agent that was told nothing of any other storage. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import type { Sync } from "../../src/contract/index.ts";
import { ApiServer } from "./api-server.ts";
import { program } from "./commands.ts";
import { FaultProxy } from "./transfer/fault-proxy.ts";
import { ManagedServer } from "./transfer/managed-server.ts";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

async function launchAgent() {
  const [api, storage] = await Promise.all([ApiServer.start(), ManagedServer.start()]);
  const isStorage = (path: string) => path.includes("/storage/") || path.startsWith("/object");
  const front = await FaultProxy.before((path) => (isStorage(path) ? storage.url : api.url));
  storage.objectOrigin = front.url;
  const workdir = mkdtempSync(join(tmpdir(), "kelpie-managed-"));
  const child = spawn(process.execPath, [main], {
    cwd: workdir,
    env: {
      PATH: process.env.PATH,
      INPUT_DIR: "legacy-in",
      OUTPUT_DIR: "legacy-out",
      CHECKPOINT_DIR: "legacy-check",
      KELPIE_API_URL: front.url,
      KELPIE_API_KEY: "a-key-of-the-tests",
      KELPIE_SOCKET: "false",
      KELPIE_POLL_SECONDS: "0.1",
      SALAD_MACHINE_ID: "machine-1",
      SALAD_CONTAINER_GROUP_ID: "group",
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  onTestFinished(async () => {
    const exited = once(child, "close");
    child.kill("SIGKILL");
    await exited;
    rmSync(workdir, { recursive: true, force: true });
    api.stop();
    await Promise.all([storage.close(), front.close()]);
  });
  const submit = (text: string, sync: Sync) => {
    const id = api.submit({ ...program(text), sync });
    storage.lease = api.firstLease(id);
    return id;
  };
  return { api, storage, submit, output: () => output };
}

test("inputs, checkpoints and outputs move without a credential, and outputs are recorded before the end is", async () => {
  const { api, storage, submit, output } = await launchAgent();
  storage.put("in/word.txt", "hello");
  storage.put("in/skipped.bin", "no");
  const recordedAtEnd = Promise.withResolvers<string[]>();
  api.fault = (call) => {
    if (call.route === "completed") recordedAtEnd.resolve([...storage.recorded]);
    return undefined;
  };
  const id = submit(
    `fs.mkdirSync("out", { recursive: true }); fs.mkdirSync("check", { recursive: true });
     fs.writeFileSync("check/step", fs.readdirSync("in").join());
     fs.writeFileSync("out/result", fs.readFileSync("in/word.txt", "utf8") + " world");`,
    {
      before: [{ prefix: "in/", local_path: "in", direction: "download", pattern: "\\.txt$" }],
      during: [{ prefix: "ckpt/", local_path: "check", direction: "upload", pattern: "^st" }],
      after: [{ prefix: "results/", local_path: "out", direction: "upload", pattern: "res" }],
    },
  );
  expect(await recordedAtEnd.promise).toEqual(["results/result"]);
  await api.report("completed", id);
  expect(storage.outputs.get("results/result")?.bytes.toString()).toBe("hello world");
  expect(storage.files.get("ckpt/step")?.bytes.toString()).toBe("word.txt");
  expect(output()).not.toContain('"ERROR"');
});

test("a rule with a bucket fails the job there, and says what is missing", async () => {
  const { api, submit } = await launchAgent();
  const id = submit("", {
    before: [{ bucket: "mine", prefix: "in/", local_path: "in", direction: "download" }],
  });
  expect((await api.report("failed", id)).reason).toContain("AWS_ACCESS_KEY_ID");
});

test("an endless pattern of outputs fails the job, and says so; the lease is renewed all the while", async () => {
  const { api, submit } = await launchAgent();
  api.leaseSeconds = 4;
  const id = submit(
    `fs.mkdirSync("out", { recursive: true }); fs.writeFileSync("out/" + "a".repeat(40) + "!", "");`,
    {
      after: [{ prefix: "out/", local_path: "out", direction: "upload", pattern: "^(a+)+$" }],
    },
  );
  expect((await api.report("failed", id)).reason).toContain("backtracks");
});

test("superseded while its outputs go up, an attempt is dropped and nothing is reported", async () => {
  const { api, storage, submit, output } = await launchAgent();
  const id = submit(`fs.mkdirSync("out", { recursive: true }); fs.writeFileSync("out/a", "");`, {
    after: [{ prefix: "out/", local_path: "out", direction: "upload" }],
  });
  storage.refusal = "superseded";
  await expect.poll(output, { timeout: 20_000 }).toContain("attempt lost");
  expect(api.calls.some((call) => "jobId" in call && call.jobId === id)).toBe(false);
  expect(storage.changes).toEqual([]);
});
