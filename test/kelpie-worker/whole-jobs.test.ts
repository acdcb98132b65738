/** The original worker's double and whole jobs: what a fleet of old images meets when only its `KELPIE_API_URL` changes. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type LocalApi, localBucket, startLocalApi } from "../../tools/local-api.ts";
import { type Client, createClient } from "../../tools/local-client.ts";
import { interfere } from "./interference.ts";
import { interval, openObjects, Scene } from "./scene.ts";

const { bucket } = localBucket;
let directory: string;
let api: LocalApi;
let client: Client;
let objects: ReturnType<typeof openObjects>;
const scenes: Scene[] = [];

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "kelpie-old-worker-"));
  api = await startLocalApi({ persistTo: join(directory, "api") });
  client = await createClient(api, "old-workers");
  objects = openObjects(api.s3Endpoint);
});
afterEach(() => Promise.all(scenes.splice(0).map((scene) => scene.clear())));
afterAll(async () => {
  await api?.stop();
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
});

function open(name: string): Scene {
  const scene = new Scene(api, client, directory, name);
  scenes.push(scene);
  return scene;
}

const rule = (prefix: string, local_path: string) => ({ bucket, prefix, local_path });

test("a job completes: input down, checkpoints up and away, output up, directories empty for the next", async () => {
  const scene = open("whole");
  await objects.put("whole/in/numbers.txt", "1 2 3");
  const { id } = await scene.submit(
    `for (const name of ["check", "out"]) fs.mkdirSync(name, { recursive: true });
     const numbers = fs.readFileSync("in/numbers.txt", "utf8").split(" ").map(Number);
     fs.writeFileSync("check/one.json", "1"); fs.writeFileSync("check/two.json", "2"); fs.writeFileSync("check/x.tmp", "");
     await sleep(1500);
     fs.rmSync("check/one.json");
     await sleep(1500);
     fs.writeFileSync("out/sum.json", JSON.stringify({ sum: numbers.reduce((a, b) => a + b), greeting: process.env.GREETING,
       state: JSON.parse(fs.readFileSync(process.env.KELPIE_STATE_FILE)).jobs[0].status }));`,
    {
      environment: { GREETING: "hello" },
      sync: {
        before: [{ ...rule("whole/in", "in"), direction: "download" }],
        during: [{ ...rule("whole/check", "check"), direction: "upload", pattern: "\\.json$" }],
        after: [{ ...rule("whole/out", "out"), direction: "upload" }],
      },
    },
  );
  const worker = scene.worker("m1");
  const job = await scene.ended(id);
  expect(job).toMatchObject({ machine_id: "m1", num_failures: 0, num_interruptions: 0 });
  expect(job.num_heartbeats).toBeGreaterThan(0);
  const output = JSON.parse((await objects.get("whole/out/sum.json")) ?? "null");
  expect(output).toEqual({ sum: 6, greeting: "hello", state: "running" });
  expect(await objects.get("whole/check/two.json")).toBe("2");
  expect(await objects.get("whole/check/one.json")).toBeUndefined();
  expect(await objects.get("whole/check/x.tmp")).toBeUndefined();
  await worker.tells("ended", id);
  await worker.tells("no work");
  const left = ["in", "check", "out"].flatMap((name) => readdirSync(join(worker.directory, name)));
  expect(left).toEqual([]);
  const state = JSON.parse(readFileSync(join(worker.directory, "kelpie-state.json"), "utf8"));
  expect(state.jobs).toMatchObject([{ id, status: "completed", exitCode: 0, activeUploads: [] }]);
});

test("a job with the six older fields, compressed", async () => {
  const scene = open("older");
  await objects.put("older/in/a.txt", "input");
  const { id } = await scene.submit(
    `fs.writeFileSync(process.env.OUTPUT_DIR + "/b.txt", fs.readFileSync(process.env.INPUT_DIR + "/a.txt") + " and output");`,
    {
      compression: true,
      ...{
        input_bucket: bucket,
        input_prefix: "older/in",
        output_bucket: bucket,
        output_prefix: "older/out",
      },
      ...{ checkpoint_bucket: bucket, checkpoint_prefix: "older/check" },
    },
  );
  scene.worker("m1");
  await scene.ended(id);
  const zipped = await objects.bytes("older/out/b.txt.gz");
  expect(gunzipSync(zipped ?? "").toString()).toBe("input and output");
});

test("a job that fails is tried elsewhere, and the machine that failed it goes on with others", async () => {
  const scene = open("fails");
  const bad = await scene.submit(`if (machine === "clumsy") process.exit(3);`);
  const worker = scene.worker("clumsy");
  await worker.tells("reported", bad.id);
  const good = await scene.submit("");
  await scene.ended(good.id);
  expect(await scene.job(bad.id)).toMatchObject({ status: "pending", num_failures: 1 });
  scene.worker("able");
  await scene.ended(bad.id);
  expect(await scene.attempts(bad.id)).toEqual([
    ["clumsy", "failed"],
    ["able", "completed"],
  ]);
});

test("after MAX_JOB_FAILURES the worker is gone; the job ends after max_failures", async () => {
  const scene = open("too-often");
  const { id } = await scene.submit("process.exit(1);", { max_failures: 2 });
  for (const machine of ["m1", "m2"]) {
    const worker = scene.worker(machine, { env: { MAX_JOB_FAILURES: "1" } });
    expect(await worker.process.exited).toMatchObject({ code: 0 });
  }
  expect(await scene.job(id)).toMatchObject({ status: "failed", num_failures: 2 });
});

/** Counts on from the checkpoint that it finds, five steps; `waits` at the second one, on that machine. */
const steps = (waits: string) => `
  fs.mkdirSync("check", { recursive: true });
  const at = fs.existsSync("check/step") ? Number(fs.readFileSync("check/step", "utf8")) : 0;
  log("from", { from: String(at) });
  for (let step = at + 1; step <= 5; step++) {
    fs.writeFileSync("check/step", String(step));
    await sleep(300);
    if (step === 2 && machine === "${waits}") { log("waits"); await sleep(600_000); }
  }`;
const checkpoints = (prefix: string) => ({
  before: [{ ...rule(prefix, "check"), direction: "download" as const }],
  during: [{ ...rule(prefix, "check"), direction: "upload" as const }],
});

test("a worker is killed: another takes over once 2 × the interval have passed, from the checkpoint", async () => {
  const scene = open("killed");
  const { id } = await scene.submit(steps("dies"), { sync: checkpoints("killed/check/") });
  const first = scene.worker("dies");
  await scene.until("the second step", async () => scene.journal().some(({ event }) => event === "waits"));
  await scene.until("its checkpoint", async () => (await objects.get("killed/check/step")) === "2");
  const heirs = [scene.worker("heir-1"), scene.worker("heir-2")];
  await Promise.all(heirs.map((heir) => heir.tells("no work")));
  expect((await scene.job(id)).machine_id).toBe("dies");
  await first.process.kill();

  const job = await scene.ended(id);
  expect(job).toMatchObject({ num_interruptions: 1, num_failures: 0 });
  expect(await scene.attempts(id)).toEqual([
    ["dies", "interrupted"],
    [job.machine_id, "completed"],
  ]);
  expect(job.machine_id).toMatch(/^heir-/);
  expect(scene.journal().filter(({ event }) => event === "from")).toMatchObject([
    { machine: "dies", from: "0" },
    { machine: job.machine_id, from: "2" },
  ]);
});

test("a canceled job: its command is interrupted, nothing is reported, the worker takes the next", async () => {
  const scene = open("canceled");
  const { id } = await scene.submit(
    `process.on("SIGINT", () => { log("SIGINT"); process.exit(0); }); await sleep(600_000);`,
  );
  const worker = scene.worker("m1");
  await worker.tells("job", id);
  await scene.until("the command", async () => scene.journal().some(({ event }) => event === "start"));
  const answer = await fetch(`${api.url}/jobs/${id}`, {
    method: "DELETE",
    headers: { "X-Kelpie-Key": client.key },
  });
  expect(answer.status).toBe(202);
  await worker.tells("canceled", id);
  const next = await scene.submit("");
  await scene.ended(next.id);
  expect(worker.told.filter((one) => one.event === "reported" && one.id === id)).toEqual([]);
  expect(await scene.job(id)).toMatchObject({ status: "canceled", completed: null, num_failures: 0 });
  expect(
    scene
      .journal()
      .filter((line) => line.id === id)
      .map(({ event }) => event),
  ).toContain("SIGINT");
});

/** Ends when its machine's word comes: a file of that name. */
const waitsForWord = (words: string) => `
  while (!fs.existsSync("${words}/" + machine)) await sleep(100);
  if (fs.readFileSync("${words}/" + machine, "utf8") === "fail") process.exit(1);`;
const atWork = (scene: Scene, name: string) =>
  scene.until(`${name} at work`, async () =>
    scene.journal().some(({ machine, event }) => machine === name && event === "start"),
  );
/** A partition that lets reports through: the worst of zombies, for nobody has told it anything. */
const withoutHeartbeats = () =>
  interfere(api.url, (path) => (path.endsWith("/heartbeat") ? "cut off" : "none"));

test("two zombies report while a third has the job: one attempt settles it, their words count for nothing", async () => {
  const scene = open("zombies");
  const words = scene.directory;
  const { id } = await scene.submit(waitsForWord(words), { max_failures: 1 });
  await using partition = await withoutHeartbeats();
  const completes = scene.worker("zombie-completes", { apiUrl: partition.url });
  await atWork(scene, "zombie-completes");
  await scene.ended(id, "pending");
  const fails = scene.worker("zombie-fails", { apiUrl: partition.url });
  await atWork(scene, "zombie-fails");
  await scene.ended(id, "pending");
  scene.worker("holder");
  await atWork(scene, "holder");

  writeFileSync(join(words, "zombie-completes"), "complete");
  writeFileSync(join(words, "zombie-fails"), "fail");
  await completes.tells("gave up", id);
  await fails.tells("gave up", id);
  const reports = partition.done.filter(({ path }) => /(completed|failed)$/.test(path));
  expect(new Set(reports.map(({ status }) => status))).toEqual(new Set([409]));
  expect(reports.filter(({ path }) => path.endsWith("completed"))).toHaveLength(3);
  expect(await scene.job(id)).toMatchObject({ status: "running", machine_id: "holder", num_failures: 0 });
  writeFileSync(join(words, "holder"), "complete");
  await scene.ended(id);
  expect(await scene.attempts(id)).toEqual([
    ["zombie-completes", "interrupted"],
    ["zombie-fails", "interrupted"],
    ["holder", "completed"],
  ]);
});

test("a machine sleeps through its lease, and wakes with its work done under the next holder", async () => {
  const scene = open("asleep");
  const words = scene.directory;
  const { id } = await scene.submit(waitsForWord(words), { max_failures: 1 });
  const sleeper = scene.worker("sleeper");
  await atWork(scene, "sleeper");
  sleeper.freeze();
  await scene.ended(id, "pending");
  scene.worker("holder");
  await atWork(scene, "holder");
  writeFileSync(join(words, "sleeper"), "fail");
  sleeper.thaw();
  await sleeper.tells("ended", id);
  expect(await scene.job(id)).toMatchObject({ status: "running", machine_id: "holder", num_failures: 0 });
  writeFileSync(join(words, "holder"), "complete");
  await scene.ended(id);
  expect(await scene.attempts(id)).toEqual([
    ["sleeper", "interrupted"],
    ["holder", "completed"],
  ]);
});

test("eight processes with one machine id drain a queue: each job runs once", async () => {
  const scene = open("eight");
  const ids: string[] = [];
  for (let n = 0; n < 24; n++)
    ids.push((await scene.submit("await sleep(100);", { heartbeat_interval: interval })).id);
  for (let slot = 0; slot < 8; slot++) scene.worker("shared", { slot: String(slot) });
  for (const id of ids) await scene.ended(id);
  const starts = scene.journal().filter(({ event }) => event === "start");
  expect(starts.map(({ id }) => id).toSorted()).toEqual(ids.toSorted());
  expect(new Set(starts.map(({ slot }) => slot)).size).toBeGreaterThan(1);
  for (const id of ids) expect(await scene.attempts(id)).toEqual([["shared", "completed"]]);
});

test("completions whose answers are lost three times are reported as failures: the job stays completed", async () => {
  const scene = open("lost-answers");
  await using losing = await interfere(api.url, (path) =>
    path.endsWith("/completed") ? "lose answer" : "none",
  );
  const { id } = await scene.submit("");
  const worker = scene.worker("m1", { apiUrl: losing.url });
  await worker.tells("gave up", id);
  const reports = losing.done.filter(({ path }) => /(completed|failed)$/.test(path));
  expect(reports.map(({ status }) => status)).toEqual([200, 200, 200, 409, 409, 409]);
  expect(await scene.job(id)).toMatchObject({ status: "completed", num_failures: 0 });
  expect(await scene.attempts(id)).toEqual([["m1", "completed"]]);
  const next = await scene.submit("");
  await worker.tells("job", next.id);
});
