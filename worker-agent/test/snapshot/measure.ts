/**
 * Figures for docs and doubts, not a test: `node worker-agent/test/snapshot/measure.ts`. The agent's side runs in a child, so
 * that its memory is told apart from the fake API's. Needs 3 GB in the directory for temporary files.
 */
import { fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { appendFile, mkdir, mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createApiClient } from "../../src/api/client.ts";
import type { CommittedGeneration, SnapshotContext } from "../../src/snapshot/ports.ts";
import { createSnapshots } from "../../src/snapshot/snapshots.ts";
import type { TransferLease } from "../../src/transfer/ports.ts";
import { SnapshotServer } from "./snapshot-server.ts";

const mib = 1024 * 1024;

async function inChild(url: string, workdir: string, lease: TransferLease): Promise<void> {
  const committed: CommittedGeneration[] = [];
  const context: SnapshotContext = {
    gate: { ready: async () => undefined, signal: new AbortController().signal, end: () => undefined },
    lease,
    observer: { began: () => undefined, ended: () => undefined },
    signal: new AbortController().signal,
    compression: false,
    workdir,
    onProblem: (message) => console.log(message),
    onCommitted: (generation) => committed.push(generation),
    onRestored: () => undefined,
  };
  const identity = { machine_id: "machine", container_group_id: "group" };
  const snapshots = createSnapshots({}, { api: createApiClient(url, {}), identity });
  const delays = monitorEventLoopDelay({ resolution: 5 });
  let peakBytes = 0;
  const look = setInterval(() => {
    peakBytes = Math.max(peakBytes, process.memoryUsage().rss);
  }, 20);
  const baseBytes = process.memoryUsage().rss;
  delays.enable();
  const rule = { prefix: "p/", local_path: "out", mode: "snapshot" as const };
  const times = { quiet_seconds: 0.2, min_interval_seconds: 0 };
  const running = await snapshots.start({ ...rule, ...times, direction: "upload" }, [], context);
  process.send?.("started");
  await once(process, "message");
  const beganMs = performance.now();
  await running.finish();
  const finishSeconds = Math.round((performance.now() - beganMs) / 100) / 10;
  const cut = {
    rss: [baseBytes, peakBytes].map((bytes) => Math.round(bytes / mib)),
    ms: Math.round(delays.max / 1e6),
  };
  await rm(join(workdir, "out"), { recursive: true });
  await mkdir(join(workdir, "out"));
  delays.reset();
  peakBytes = 0;
  const resumedMs = performance.now();
  await snapshots.restore({ ...rule, direction: "download" }, context);
  const resumeSeconds = Math.round((performance.now() - resumedMs) / 100) / 10;
  clearInterval(look);
  console.log(
    `finish ${finishSeconds} s; RSS before/peak ${cut.rss.join("/")} MiB, event loop at most ${cut.ms} ms; last: ${JSON.stringify(committed.at(-1))}`,
    `resume ${resumeSeconds} s, RSS peak ${Math.round(peakBytes / mib)} MiB, event loop at most ${Math.round(delays.max / 1e6)} ms`,
  );
  process.exit(0);
}

async function measure(
  name: string,
  prepare: (out: string) => Promise<void>,
  meanwhile: (out: string, server: SnapshotServer) => Promise<void>,
): Promise<void> {
  console.log(`== ${name}`);
  const server = await SnapshotServer.start();
  const workdir = await mkdtemp(join(tmpdir(), "kelpie-measure-"));
  const out = join(workdir, "out");
  await mkdir(out);
  await prepare(out);
  const child = fork(import.meta.filename, [server.url, workdir, JSON.stringify(server.claim())]);
  await once(child, "message");
  await meanwhile(out, server);
  child.send("finish");
  await once(child, "exit");
  console.log(`sent: ${JSON.stringify(server.sentBytes)}, violations: ${server.violations.length}`);
  server.stop();
  await rm(workdir, { recursive: true });
}

async function fill(path: string, bytes: number): Promise<void> {
  const file = await open(path, "a");
  for (let done = 0; done < bytes; done += 8 * mib)
    await file.write(randomBytes(Math.min(8 * mib, bytes - done)));
  await file.close();
}

const [url, workdir, lease] = process.argv.slice(2);
if (url && workdir && lease) await inChild(url, workdir, JSON.parse(lease));
else {
  const cutIs = (server: SnapshotServer, count: number) =>
    server.until(() => server.generations.length >= count);
  await measure(
    "5,000 small files, ten of them changed",
    async (out) => {
      for (let index = 0; index < 5000; index += 1)
        await writeFile(join(out, `f${index}`), `${index} `.repeat(200));
    },
    async (out, server) => {
      const beganMs = performance.now();
      await cutIs(server, 1);
      console.log(
        `first ${Math.round(performance.now() - beganMs)} ms`,
        server.sentBytes,
        `${server.head?.head.chunks.length} chunks`,
      );
      for (let index = 0; index < 10; index += 1) await writeFile(join(out, `f${index}`), "changed");
      await cutIs(server, 2);
    },
  );
  await measure(
    "one file of 2 GB",
    (out) => fill(join(out, "model"), 2_000_000_000),
    (_, server) => cutIs(server, 1),
  );
  await measure(
    "16 MiB appended to 1 GiB and a bit, twenty times",
    (out) => fill(join(out, "trajectory"), 1024 * mib + 12_345),
    async (out, server) => {
      await cutIs(server, 1);
      const each: number[] = [];
      for (let appends = 1; appends <= 20; appends += 1) {
        const before = server.sentBytes.put_chunk + server.sentBytes.put_manifest;
        await appendFile(join(out, "trajectory"), randomBytes(16 * mib + 1000 * (appends % 3)));
        await cutIs(server, appends + 1);
        each.push(server.sentBytes.put_chunk + server.sentBytes.put_manifest - before);
      }
      console.log(`sent per append: ${Math.min(...each)} to ${Math.max(...each)} bytes, manifests included`);
    },
  );
}
