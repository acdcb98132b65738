import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { observeActivity } from "../src/activity.ts";
import { createLog } from "../src/log.ts";
import { StateFile } from "../src/state-file.ts";

function setup() {
  const directory = mkdtempSync(join(tmpdir(), "kelpie-state-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const path = join(directory, "state.json");
  const file = new StateFile(path, createLog({ level: "silent" }));
  return { directory, path, file, read: () => JSON.parse(readFileSync(path, "utf8")) };
}

test("the state file is whole at every moment", async () => {
  const { directory, file, read } = setup();
  const { observer } = observeActivity(file.begin("job"), file, () => {});
  await file.written();
  let reads = 0;
  const writing = (async () => {
    for (let step = 0; step < 200; step++) {
      observer.began("upload", `/checkpoint/${"x".repeat(1000)}-${step}`);
      await new Promise(setImmediate);
    }
    await file.written();
    return true;
  })();
  let done = false;
  void writing.then(() => {
    done = true;
  });
  while (!done) {
    expect(read().jobs[0].id).toBe("job");
    reads++;
    await new Promise(setImmediate);
  }
  expect(reads).toBeGreaterThan(10);
  expect(read().jobs[0].activeUploads).toHaveLength(200);
  expect(readdirSync(directory)).toEqual(["state.json"]);
});

test("uploads and downloads stand in it while they are under way", async () => {
  const { file, read } = setup();
  const { observer, bytes } = observeActivity(file.begin("job"), file, () => {});
  observer.began("upload", "/a");
  observer.began("download", "/b");
  await file.written();
  expect(read()).toEqual({
    start: expect.stringMatching(/Z$/),
    jobs: [
      {
        id: "job",
        slot: 0,
        status: "running",
        start: expect.stringMatching(/Z$/),
        activeUploads: ["/a"],
        activeDownloads: ["/b"],
      },
    ],
  });
  observer.ended("upload", "/a", 5);
  observer.ended("download", "/b", 7);
  await file.written();
  expect(read().jobs[0]).toMatchObject({ activeUploads: [], activeDownloads: [] });
  expect(bytes).toEqual({ upload: 5, download: 7 });
});

test("an agent that runs for months keeps the last hundred ended jobs, and all that go on", async () => {
  const { file, read } = setup();
  file.begin("goes on");
  for (let number = 0; number < 150; number++) {
    file.begin(`job ${number}`).end = new Date().toISOString();
    await file.written();
  }
  const ids = read().jobs.map((job: { id: string }) => job.id);
  expect(ids).toHaveLength(101);
  expect(ids[0]).toBe("goes on");
  expect(ids.at(-1)).toBe("job 149");
});

test("a job that comes again stands there once", async () => {
  const { file, read } = setup();
  file.begin("job").end = new Date().toISOString();
  file.begin("job");
  await file.written();
  expect(read().jobs).toHaveLength(1);
  expect(read().jobs[0].end).toBeUndefined();
});
