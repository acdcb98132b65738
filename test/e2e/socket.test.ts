/**
 * The socket end to end: the real API, agents as processes. They poll every minute and renew leases of 5 minutes every 75 s,
 * and a test ends after 30 s: what comes to pass at all has come by the socket.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type LocalAgent, startLocalAgent } from "../../tools/local-agent.ts";
import { type LocalApi, startLocalApi } from "../../tools/local-api.ts";
import { type Client, createClient } from "../../tools/local-client.ts";

const testMs = 30_000;

let directory: string;
let api: LocalApi;
let client: Client;
const agents: LocalAgent[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-socket-"));
  api = await startLocalApi({ persistTo: join(directory, "api") });
  client = await createClient(api, "socket");
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.kill()));
  await api?.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

/** An agent of its own group, and its log. */
function startAgent(containerGroupId: string) {
  const lines: string[] = [];
  const watchers = new Set<() => void>();
  const agent = startLocalAgent({
    api,
    key: client.key,
    containerGroupId,
    machineId: `machine-of-${containerGroupId}`,
    directory: join(directory, containerGroupId),
    env: { KELPIE_POLL_SECONDS: "60", KELPIE_LOG_LEVEL: "debug" },
    onLine(line) {
      lines.push(line);
      for (const watcher of watchers) watcher();
      watchers.clear();
    },
  });
  agents.push(agent);
  return {
    /** The next line with this text, past or future; those before it are done with. */
    async logged(text: string): Promise<string> {
      for (;;) {
        const at = lines.findIndex((line) => line.includes(text));
        if (at >= 0) return lines.splice(0, at + 1).at(-1) as string;
        await new Promise<void>((resolve) => watchers.add(resolve));
      }
    },
  };
}

/** A job that runs until it is stopped. */
const endless = (containerGroupId: string) => ({
  command: process.execPath,
  arguments: ["-e", "setInterval(() => {}, 1000)"],
  container_group_id: containerGroupId,
  heartbeat_interval: 150,
  sync: {},
});

it(
  "an idle agent's command starts at once after the submission",
  async () => {
    const agent = startAgent("idle");
    await agent.logged("socket open");
    await agent.logged('"message":"no work","connected":true');
    const [job] = await client.submit([endless("idle")]);
    expect(await agent.logged("command started")).toContain(job?.id);
  },
  testMs,
);

it(
  "a canceled job's command is stopped at once, whatever its lease",
  async () => {
    const agent = startAgent("canceled");
    const [job] = await client.submit([endless("canceled")]);
    if (!job) throw new Error("The API answered an empty batch");
    await agent.logged("socket open");
    await agent.logged("command started");
    const headers = { "X-Kelpie-Key": client.key };
    const answer = await fetch(`${api.url}/jobs/${job.id}`, { method: "DELETE", headers });
    expect(answer.status).toBe(202);
    expect(await agent.logged("command ended")).toContain(job.id);
    await agent.logged("attempt canceled");
    expect((await client.job(job.id)).status).toBe("canceled");
  },
  testMs,
);
