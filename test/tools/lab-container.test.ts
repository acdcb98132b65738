/** A container of the lab, with the real agent in it, against an API that only notes who asks. */
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Container } from "../../tools/lab/container.ts";
import { isAlive } from "../../tools/processes/tree.ts";
import type { Instance } from "../salad/instances.ts";

let server: Server;
let port: number;
let asked: number;
let directory: string;
let container: Container;
beforeEach(async () => {
  asked = 0;
  // It is to come again, whatever it wanted.
  server = createServer((request, response) => {
    asked++;
    request.resume();
    response.writeHead(503, { "Content-Type": "application/json" }).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
  directory = mkdtempSync(join(tmpdir(), "kelpie-lab-container-"));
  container = new Container({
    instance: { id: "instance-1", machineId: "machine-1", groupId: "group-1" } as Instance,
    hardware: { speed: 0.5, line: { downMbps: 868, upMbps: 734 } },
    api: { port, s3Endpoint: `http://127.0.0.1:${port}/s3` },
    key: "key",
    env: { SALAD_ORGANIZATION_NAME: "lab", SALAD_PROJECT_NAME: "default" },
    directory: join(directory, "files"),
    logPath: join(directory, "log"),
  });
});
afterEach(async () => {
  await container.kill();
  server.closeAllConnections();
  server.close();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

it("asks over its line, stands still as a zombie, comes back, and ends with its line", async () => {
  await until(() => container.lanes.down.bytes > 0);
  expect(container.lanes.up.bytes).toBeGreaterThan(0);
  const pid = container.pid ?? 0;
  container.freeze();
  expect(container.state).toBe("zombie");
  const before = asked;
  expect(isAlive(pid)).toBe(true);
  container.thaw();
  // Asks on, though its machine is gone for SaladCloud.
  await until(() => asked > before + 1);
  await container.kill();
  expect(isAlive(pid)).toBe(false);
  expect(await container.exited).toEqual({ byItself: false });
});

it("taken away before its process is there, it has none", async () => {
  container.terminate();
  expect(await container.exited).toEqual({ byItself: false });
  expect([container.pid, container.state, asked]).toEqual([undefined, "gone", 0]);
});

it("tells that it has ended by itself", async () => {
  await until(() => asked > 0);
  process.kill(container.pid ?? 0, "SIGKILL");
  expect(await container.exited).toEqual({ byItself: true });
  expect(container.state).toBe("gone");
});
