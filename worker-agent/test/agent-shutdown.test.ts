/** An agent that is told to stop. */
import { existsSync, writeFileSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { pause } from "../src/pause.ts";
import { startAgent } from "./agent-under-test.ts";
import { checkpointRules } from "./checkpoint-rules.ts";
import { fileAppears, program, shell } from "./commands.ts";

test("SIGTERM: the last checkpoint goes up, the job is released", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({
    sync: checkpointRules,
    ...program(`
      process.on("SIGTERM", () => { fs.writeFileSync("work/checkpoint/last", "saved"); process.exit(0); });
      fs.writeFileSync("started", "");
      setInterval(() => {}, 1000);
    `),
  });
  await fileAppears(agent.path("started"));
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
  expect(agent.transfers.objects.get("b/checkpoint/last")).toBe("saved");
});

test("SIGTERM while outputs upload: they may finish, and the job is completed", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({ sync: checkpointRules, ...program("") });
  const uploads = agent.transfers.holdUploads();
  await uploads.begun;
  agent.shutdown.request();
  uploads.goOn();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("completed");
});

test("SIGTERM while outputs cannot be uploaded: after a bounded time the job is released", async () => {
  const agent = await startAgent({ timings: { shutdownUploadMs: 50 } });
  const id = agent.server.submit({ sync: checkpointRules, ...program("") });
  const uploading = Promise.withResolvers<void>();
  agent.transfers.beforeUpload = (_rule, { signal }) => {
    uploading.resolve();
    return new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  await uploading.promise;
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
});

test("a second SIGTERM does not wait for a command that ignores the first", async () => {
  const agent = await startAgent();
  const id = agent.server.submit(
    program(`
      process.on("SIGTERM", () => fs.writeFileSync("ignored", ""));
      fs.writeFileSync("started", "");
      setInterval(() => {}, 1000);
    `),
  );
  await fileAppears(agent.path("started"));
  agent.shutdown.request();
  await fileAppears(agent.path("ignored"));
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
});

test("SIGTERM while the storage hangs and heeds no abort: the release goes out all the same", async () => {
  const agent = await startAgent({ timings: { shutdownUploadMs: 20, shutdownHangMs: 20 } });
  const id = agent.server.submit({
    sync: checkpointRules,
    ...shell(`trap "exit 0" TERM; touch started; while :; do sleep 0.02; done`),
  });
  agent.transfers.beforeMirrorFinish = () => new Promise(() => {});
  await fileAppears(agent.path("started"));
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
});

test("SIGTERM while inputs come from a storage that hangs: the release goes out all the same", async () => {
  const agent = await startAgent({ timings: { shutdownHangMs: 20 } });
  const downloading = Promise.withResolvers<void>();
  agent.transfers.beforeDownload = () => {
    downloading.resolve();
    return new Promise(() => {});
  };
  const id = agent.server.submit({
    sync: { before: [{ bucket: "b", prefix: "in/", local_path: "in", direction: "download" }] },
  });
  await downloading.promise;
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
});

test("SIGTERM while outputs go to a storage that hangs: the release goes out all the same", async () => {
  const agent = await startAgent({ timings: { shutdownUploadMs: 20, shutdownHangMs: 20 } });
  const uploading = Promise.withResolvers<void>();
  agent.transfers.beforeUpload = () => {
    uploading.resolve();
    return new Promise(() => {});
  };
  const id = agent.server.submit({ sync: checkpointRules });
  await uploading.promise;
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
});

test("SIGTERM: the job is free before its directories are cleared", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({
    sync: checkpointRules,
    ...shell(`trap "exit 0" TERM; touch work/checkpoint/a started; while :; do sleep 0.02; done`),
  });
  await fileAppears(agent.path("started"));
  let atRelease: boolean | undefined;
  agent.server.fault = async (call) => {
    if (call.route !== "released") return undefined;
    // Time enough for whoever would clear meanwhile.
    await pause(200);
    atRelease = existsSync(agent.path("work/checkpoint/a"));
    return undefined;
  };
  agent.shutdown.request();
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
  expect(atRelease).toBe(true);
  expect(existsSync(agent.path("work/checkpoint/a"))).toBe(false);
});

test("SIGTERM: a job that asks for it hears SIGINT, and its grace counts for the agent's own bound", async () => {
  const agent = await startAgent();
  const id = agent.server.submit({
    stop_signal: "SIGINT",
    stop_grace_seconds: 700,
    ...shell(`trap "exit 7" INT; trap "exit 9" TERM; touch started; while :; do sleep 0.02; done`),
  });
  await fileAppears(agent.path("started"));
  expect(agent.shutdown.longestGraceMs).toBe(700_000);
  agent.shutdown.request();
  await agent.running;
  expect(await agent.server.report("released", id)).toMatchObject({ exit_code: 7, cause: "exit" });
  expect(agent.shutdown.longestGraceMs).toBe(0);
});

test("SIGTERM right before the command would start: it is not started any more", async () => {
  const agent = await startAgent();
  // Of all that is done before the start this takes longest.
  writeFileSync(
    agent.path("mkfifo"),
    `#!/bin/sh
touch "${agent.path("making")}"
until [ -e "${agent.path("go on")}" ]; do sleep 0.05; done
PATH="\${PATH#*:}" exec mkfifo "$@"
`,
    { mode: 0o755 },
  );
  vi.stubEnv("PATH", `${agent.workdir}:${process.env.PATH}`);
  onTestFinished(() => void vi.unstubAllEnvs());
  const id = agent.server.submit(shell("exec sleep 60"));
  await fileAppears(agent.path("making"));
  agent.shutdown.request();
  writeFileSync(agent.path("go on"), "");
  await agent.running;
  expect(agent.server.endOf(id)).toBe("released");
  expect(agent.lines.filter(({ message }) => message === "command started")).toEqual([]);
});
