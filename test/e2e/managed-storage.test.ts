/**
 * Whole jobs in managed storage: the API, agents without any storage credential, jobs that judge for themselves what a resume
 * brought (jobs/). Once with presigned URLs, once with the API's own.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import type { ClaimedJob, Grant, Job } from "../../src/contract/index.ts";
import { localBucket, localSigningKey } from "../../tools/local-api.ts";
import { type ManagedScene, managedScene } from "./managed-scene.ts";
import { type HeldReport, holdReports } from "./report-hold.ts";
import { leaseMs, type Stack, startStack } from "./stack.ts";
import { urlKinds } from "./url-kinds.ts";

// They mostly wait for leases to run out: all at once, both kinds of URLs too.
vi.setConfig({ maxConcurrency: 20, testTimeout: 300_000, hookTimeout: 200_000 });

const mebibyte = 1024 * 1024;

/** Kept in step from the start to the end of each attempt. */
const snapshot = (prefix: string, times: { quiet_seconds: number }) => {
  const rule = { prefix, local_path: "checkpoint", mode: "snapshot" as const };
  return {
    before: [{ ...rule, direction: "download" as const }],
    during: [{ ...rule, direction: "upload" as const, min_interval_seconds: 0, ...times }],
  };
};
const outputs = (prefix: string) => [{ prefix, local_path: "results", direction: "upload" as const }];

describe.concurrent.each(urlKinds)("jobs in managed storage by $name URLs:", (urls) => {
  let stack: Stack;
  beforeAll(async () => {
    stack = await startStack(urls);
  });
  afterAll(() => stack?.stop());

  const committed = (scene: ManagedScene, job: Job, count: number) =>
    scene.until(`${count} generations`, async () => {
      const checkpoints = await stack.client.checkpoints(job.id);
      return checkpoints.length >= count && checkpoints;
    });
  const ends = async ({ id }: Job) =>
    (await stack.client.attempts(id)).map(({ machine_id, end }) => [machine_id, end]).sort();
  const resumes = (scene: ManagedScene) => scene.events().filter(({ event }) => event === "resume");

  test("a node is killed; another resumes from the newest generation, and people fetch the output", async () => {
    const scene = managedScene(stack, "killed");
    const headBytes = 2 * mebibyte;
    const recordBytes = 4096;
    const job = await scene.submit("history.mjs", {
      environment: { STEP_MS: 500, HEAD_BYTES: headBytes, RECORD_BYTES: recordBytes },
      sync: { ...snapshot("killed/history/", { quiet_seconds: 0.2 }), after: outputs("killed/") },
    });
    const lost = scene.agent("lost");
    await committed(scene, job, 3);
    await lost.kill();
    const killedMs = Date.now();
    // A commit that was on its way may still land.
    await sleep(1000);
    const before = scene.events();
    const [newest] = await stack.client.checkpoints(job.id);
    const newestStep = ((newest?.bytes_total ?? 0) - headBytes) / recordBytes;
    expect(newestStep).toBeGreaterThan(0);
    scene.agent("other");
    await scene.until("steps of another attempt", () => scene.events().length > before.length + 3);
    expect(await stack.client.file("killed/result.json")).toBeUndefined();
    scene.tell("end");

    await scene.completed(job.id);
    const after = scene.events().slice(before.length);
    expect(before.every(({ machine }) => machine === "lost")).toBe(true);
    expect(after[0]).toMatchObject({ machine: "other", event: "resume", step: newestStep });
    expect((after[0]?.time ?? 0) - killedMs).toBeGreaterThan(leaseMs / 2);
    expect(after.map(({ step }) => step)).toEqual([
      ...Array.from({ length: after.length - 1 }, (_, index) => newestStep + index),
      newestStep + after.length - 2,
    ]);
    const { step: lastStep = 0, ...end } = after.at(-1) ?? {};
    expect(end).toMatchObject({ machine: "other", event: "done" });
    const output = await stack.client.file("killed/result.json");
    expect(JSON.parse(output ?? "null")).toEqual({ step: lastStep, machine: "other" });
    expect(await ends(job)).toEqual([
      ["lost", "interrupted"],
      ["other", "completed"],
    ]);

    const checkpoints = await stack.client.checkpoints(job.id);
    expect(new Set(checkpoints.map(({ attempt }) => attempt))).toEqual(new Set([1, 2]));
    expect(checkpoints[0]).toMatchObject({ attempt: 2, bytes_total: headBytes + lastStep * recordBytes });
    expect(checkpoints.map(({ state }) => state)).toEqual(
      checkpoints.map((_, index) => (index < 3 ? "kept" : "retired")),
    );
    // The head went up once in the life of the job; each later generation costs what was appended.
    const first = checkpoints.findLast(({ attempt, generation }) => attempt === 1 && generation === 1);
    expect(first?.bytes_new).toBeGreaterThanOrEqual(headBytes);
    const appends = checkpoints.filter((checkpoint) => checkpoint !== first);
    expect(Math.max(...appends.map(({ bytes_new }) => bytes_new))).toBeLessThan(headBytes / 8);
  });

  test("outputs of a killed attempt are never seen; those of the attempt that settled, once it has", async () => {
    const scene = managedScene(stack, "unseen");
    const job = await scene.submit("history.mjs", {
      environment: { STEP_MS: 0, HEAD_BYTES: 10, RECORD_BYTES: 10 },
      sync: { after: outputs("unseen/") },
    });
    scene.tell("end");
    const keys = ["by-lost.txt", "by-other.txt", "result.json"].map((name) => `unseen/${name}`);
    const seen = async () => ({
      listed: await stack.client.files("unseen/"),
      read: (await Promise.all(keys.map((key) => stack.client.file(key)))).map((text) => text !== undefined),
    });
    const nothing = { listed: [], read: [false, false, false] };
    const uploaded = async (attempt: number) => {
      const place = `outputs/${job.user_id}/${job.id}/${attempt}/`;
      return (await stack.bucket.list(place)).map((key) => key.slice(place.length)).sort();
    };
    const repeat = async ({ path, body }: HeldReport) => {
      const headers = { "X-Kelpie-Key": stack.client.key, "Content-Type": "application/json" };
      return (await fetch(`${stack.api().url}${path}`, { method: "POST", headers, body })).status;
    };
    const firstHold = await holdReports(stack.api().port);
    const secondHold = await holdReports(stack.api().port);
    try {
      const lost = scene.agent("lost", firstHold.url);
      const lateReport = await scene.until("the first report", () => firstHold.held);
      await lost.kill();
      expect(await uploaded(1)).toEqual(["unseen/by-lost.txt", "unseen/result.json"]);
      expect(await seen()).toEqual(nothing);

      scene.agent("other", secondHold.url);
      const report = await scene.until("the second report", () => secondHold.held);
      expect(await uploaded(2)).toEqual(["unseen/by-other.txt", "unseen/result.json"]);
      expect(await seen()).toEqual(nothing);
      expect(await repeat(lateReport)).toBe(409);
      expect(await seen()).toEqual(nothing);

      report.passOn();
      await scene.completed(job.id);
      const published = { listed: [keys[1], keys[2]], read: [false, true, true] };
      expect(await seen()).toEqual(published);
      expect(await repeat(lateReport)).toBe(409);
      expect(await seen()).toEqual(published);
      const output = await stack.client.file("unseen/result.json");
      expect(JSON.parse(output ?? "null")).toEqual({ step: 0, machine: "other" });
    } finally {
      firstHold.close();
      secondHold.close();
    }
  });

  test("weights and their pointer are written in place all the time; every resume sees a pair", async () => {
    const scene = managedScene(stack, "pair");
    const burst = 24;
    const job = await scene.submit("pair.mjs", {
      environment: {
        ...{ BURST: burst, STEP_MS: 60, PAUSE_MS: 2500 },
        ...{ WEIGHTS_BYTES: 2 * mebibyte, PIECE_MS: 40 },
      },
      sync: snapshot("pair/", { quiet_seconds: 1 }),
    });
    /** For seconds in a burst by this machine, and not in its first: time enough for a cut that should not be taken. */
    const writing = (machine: string) => {
      const [first, ...saves] = scene.events().filter((event) => event.machine === machine);
      const saved = saves.at(-1)?.step ?? 0;
      return saved > (first?.step ?? 0) + burst && saved % burst > burst / 2;
    };
    const killed = scene.agent("killed");
    const [newest] = await committed(scene, job, 1);
    expect(newest).toMatchObject({ quiet: true, files: 2 });
    await scene.until("a burst", () => writing("killed"));
    await killed.kill();
    const stopped = scene.agent("stopped");
    await scene.until("another burst", () => writing("stopped"));
    stopped.signal("SIGTERM");
    scene.agent("last");
    await scene.until("a burst of the last", () => writing("last"));
    scene.tell("end");

    await scene.completed(job.id);
    expect(scene.events().filter(({ event }) => event === "wrong")).toEqual([]);
    const [afterKill, afterStop, ...others] = resumes(scene);
    expect(others).toEqual([]);
    const savedBy = (name: string) =>
      scene.events().filter(({ machine, event }) => machine === name && event === "save");
    expect(afterKill).toMatchObject({ machine: "stopped" });
    expect(savedBy("killed").map(({ step }) => step)).toContain(afterKill?.step);
    expect(afterKill?.step).toBeLessThan(savedBy("killed").at(-1)?.step ?? 0);
    // Asked to stop, the job leaves with a whole pair: nothing at all is lost.
    const stop = scene.events().find(({ event }) => event === "stop");
    expect(afterStop).toMatchObject({ machine: "last", step: stop?.step });
  });

  test("inputs put by people reach the job; the job sees no storage credential", async () => {
    const scene = managedScene(stack, "inputs");
    await stack.client.putFile("inputs/a b/ünï.txt", "put by path");
    const grant = { method: "PUT", key: "inputs/by-url.txt", size: 10 };
    const asked = await fetch(`${stack.api().url}/files/urls`, {
      method: "POST",
      headers: { "X-Kelpie-Key": stack.client.key, "Content-Type": "application/json" },
      body: JSON.stringify(grant),
    });
    const { url, headers } = (await asked.json()) as Grant;
    expect(new URL(url).searchParams.has(urls.signatureName)).toBe(true);
    expect((await fetch(url, { method: "PUT", headers, body: "put by URL" })).status).toBe(200);

    const job = await scene.submit("copy.mjs", {
      sync: {
        before: [{ prefix: "inputs/", local_path: "inputs", direction: "download" }],
        after: outputs("copies/"),
      },
    });
    scene.agent("only");
    await scene.completed(job.id);
    const copies = JSON.parse((await stack.client.file("copies/copies.json")) ?? "null");
    expect(copies).toEqual({ "ünï.txt": "put by path", "by-url.txt": "put by URL" });
    const environment: Record<string, string> = JSON.parse(
      (await stack.client.file("copies/environment.json")) ?? "null",
    );
    expect(environment.KELPIE_JOB_ID).toBe(job.id);
    const secrets = [localBucket.secretAccessKey, localSigningKey, stack.api().adminKey];
    const telling = Object.entries(environment).filter(
      ([name, value]) =>
        /^(AWS|R2|S3)_|SIGNING|SECRET/.test(name) || secrets.some((secret) => value.includes(secret)),
    );
    expect(telling).toEqual([]);
  });

  test("a mirrored directory is seen as it is while the job runs, deletions too", async () => {
    const scene = managedScene(stack, "live");
    const job = await scene.submit("live.mjs", {
      sync: { during: [{ prefix: "live/", local_path: "live", direction: "upload" }] },
    });
    const shows = (files: Record<string, string>) =>
      scene.until(`${Object.keys(files)}`, async () => {
        const keys = await stack.client.files("live/");
        const read = await Promise.all(
          keys.map(async (key) => [key.slice("live/".length), await stack.client.file(key)]),
        );
        return JSON.stringify(read) === JSON.stringify(Object.entries(files));
      });
    scene.agent("only");
    await shows({ "changes.txt": "first", "deep/goes.txt": "soon gone" });
    scene.tell("change");
    await shows({ "changes.txt": "second", "comes.txt": "new" });
    expect((await stack.client.job(job.id)).status).toBe("running");
    scene.tell("end");
    await scene.completed(job.id);
    expect(await stack.client.files("live/")).toEqual(
      ["changes.txt", "comes.txt", "last.txt"].map((name) => `live/${name}`),
    );
  });

  test("a worker that knows nothing of managed storage gets the next job", async () => {
    const scene = managedScene(stack, "old-worker");
    const managed = await scene.submit("copy.mjs", {
      priority: 10,
      sync: {
        after: outputs("old-worker/"),
        before: [{ prefix: "none/", local_path: "inputs", direction: "download" }],
      },
    });
    const plain = await scene.submit("copy.mjs", { sync: {} });
    const claim = async () => {
      const query = new URLSearchParams({ machine_id: "old", container_group_id: "old-worker" });
      const answer = await fetch(`${stack.api().url}/work?${query}`, {
        headers: { "X-Kelpie-Key": stack.client.key },
      });
      return ((await answer.json()) as ClaimedJob[]).map(({ id }) => id);
    };
    expect(await claim()).toEqual([plain.id]);
    expect(await claim()).toEqual([]);
    expect(await stack.client.job(managed.id)).toMatchObject({ status: "pending", attempt: 0 });
    scene.agent("new");
    await scene.completed(managed.id);
    expect(await ends(managed)).toEqual([["new", "completed"]]);
  });

  // Alone: it takes the API from under everybody.
  test("the API is killed while a snapshot goes up; the job goes on and nothing is lost", {
    concurrent: false,
  }, async () => {
    const scene = managedScene(stack, "restart");
    const job = await scene.submit("bulk.mjs", {
      environment: { STEP_MS: 1500, FILE_BYTES: 20 * mebibyte },
      sync: { ...snapshot("restart/bulk/", { quiet_seconds: 0.2 }), after: outputs("restart/") },
    });
    const steady = scene.agent("steady");
    await committed(scene, job, 1);
    const place = `snapshots/${job.user_id}/${job.id}/1/`;
    const interrupted = await scene.until("a generation that is on its way", async () => {
      const keys = (await stack.bucket.list(place)).map((key) => key.slice(place.length).split("/"));
      const [newest] = await stack.client.checkpoints(job.id);
      const open = keys.filter(([generation]) => Number(generation) > (newest?.generation ?? 0));
      return (
        open.length > 0 && !open.some(([, name]) => name?.startsWith("manifest-")) && Number(open[0]?.[0])
      );
    });
    await stack.restartApi(1000);
    const restartedStep = scene.events().at(-1)?.step ?? 0;
    expect((await stack.client.job(job.id)).status).toBe("running");
    const restartedMs = Date.now();
    await scene.until("a generation after that", async () => {
      const [newest] = await stack.client.checkpoints(job.id);
      return newest && newest.generation >= interrupted && Date.parse(newest.committed) > restartedMs;
    });
    expect(scene.events().flatMap(({ event }) => (event === "step" ? [] : [event]))).toEqual(["start"]);
    steady.signal("SIGTERM");
    scene.agent("next");
    await scene.until("the next agent's steps", () => scene.events().at(-1)?.machine === "next");
    scene.tell("end");

    await scene.completed(job.id);
    const stop = scene.events().find(({ event }) => event === "stop");
    expect(stop?.step).toBeGreaterThanOrEqual(restartedStep);
    expect(resumes(scene)).toMatchObject([{ machine: "next", step: stop?.step }]);
    expect(scene.events().at(-1)).toMatchObject({ event: "done", machine: "next" });
    const output = await stack.client.file("restart/result.json");
    expect(JSON.parse(output ?? "null")).toEqual({ step: scene.events().at(-1)?.step, files: 3 });
    expect(await ends(job)).toEqual([
      ["next", "completed"],
      ["steady", "released"],
    ]);
  });
});
