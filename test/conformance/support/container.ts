/** The agent as a container of the simulated SaladCloud runs it, and a storage of ours that it uploads to. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";

export interface Container extends AsyncDisposable {
  /** Its working directory, as the command sees it. */
  path(name: string): string;
  /** All that it has logged, for a failed check's message. */
  log(): string;
}

/** The agent's process. Nothing of this process's environment reaches it but how to start. */
export function startContainer(env: Record<string, string>): Container {
  const directory = mkdtempSync(join(tmpdir(), "kelpie-container-"));
  const main = join(import.meta.dirname, "../../../worker-agent/src/main.ts");
  const child: ChildProcess = spawn(process.execPath, [main], {
    cwd: directory,
    env: { PATH: process.env.PATH, INPUT_DIR: "in", OUTPUT_DIR: "out", CHECKPOINT_DIR: "checkpoint", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(child, "exit");
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => (log += chunk));
  return {
    path: (name) => join(directory, name),
    log: () => log,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      const patience = setTimeout(() => child.kill("SIGKILL"), 20_000);
      await exited;
      clearTimeout(patience);
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

export interface Storage extends AsyncDisposable {
  url: string;
  /** Keys that have begun to be written. */
  begun: string[];
  /** From now on writes are answered, those that wait included. */
  open(): void;
}

/** As much of S3 as single small objects need. It keeps every write waiting until it is opened. */
export async function openStorage(): Promise<Storage> {
  const objects = new Map<string, { etag: string; size: number }>();
  const begun: string[] = [];
  const opened = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const key = new URL(request.url ?? "/", "http://storage").pathname;
    if (request.method === "PUT") {
      const body = await buffer(request);
      begun.push(key);
      await opened.promise;
      objects.set(key, { etag: `"${createHash("md5").update(body).digest("hex")}"`, size: body.length });
    }
    const object = objects.get(key);
    if (!object) response.writeHead(404).end();
    else if (request.method === "PUT") response.writeHead(200, { ETag: object.etag }).end();
    else response.writeHead(200, { ETag: object.etag, "Content-Length": object.size }).end();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    begun,
    open: opened.resolve,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
