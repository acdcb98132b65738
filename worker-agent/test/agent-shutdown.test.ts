/** An agent that is told to stop. */
import { expect, test } from "vitest";
import { startAgent } from "./agent-under-test.ts";
import { checkpointRules } from "./checkpoint-rules.ts";
import { fileAppears, program } from "./commands.ts";

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
  const uploading = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  agent.transfers.beforeUpload = async () => {
    uploading.resolve();
    await release.promise;
  };
  await uploading.promise;
  agent.shutdown.request();
  release.resolve();
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
