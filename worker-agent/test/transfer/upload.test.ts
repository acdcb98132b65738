import { createHash, randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { UploadRule } from "../../../src/contract/index.ts";
import { partsOf } from "../../src/transfer/part-sizes.ts";
import { bucket, failureOf, setUp } from "./bench.ts";
import type { Fault } from "./s3-faults.ts";
import type { SeenRequest } from "./s3-server.ts";

const rule: UploadRule = { bucket, prefix: "results/", local_path: "/output", direction: "upload" };

/** The fault strikes the first so many requests that are meant. */
function first(count: number, fault: Fault, meant: (request: SeenRequest) => boolean) {
  let struck = 0;
  return (request: SeenRequest) => (meant(request) && struck++ < count ? fault : undefined);
}

const isPut = ({ method }: SeenRequest) => method === "PUT";
const isComplete = ({ method, query }: SeenRequest) => method === "POST" && query.has("uploadId");

test("outputs arrive whole, typed by their ending, and are looked up afterwards", async () => {
  const { storage, transfers, context, dir, observed } = await setUp();
  await mkdir(join(dir, "moved/sub"), { recursive: true });
  await writeFile(join(dir, "moved/image.png"), "png");
  await writeFile(join(dir, "moved/sub/empty"), "");
  await transfers.upload(rule, join(dir, "moved"), context);
  expect(storage.get(bucket, "results/image.png")?.contentType).toBe("image/png");
  expect(storage.get(bucket, "results/sub/empty")).toMatchObject({
    sizeBytes: 0,
    contentType: "application/octet-stream",
  });
  const looked = storage.requests.filter(({ method }) => method === "HEAD").map(({ key }) => key);
  expect(looked.sort()).toEqual(["results/image.png", "results/sub/empty"]);
  // Jobs know their files by the place that they wrote them to.
  expect(observed).toContain("began upload /output/image.png");
});

test("no outputs at all are fine", async () => {
  const { storage, transfers, context, dir } = await setUp();
  await transfers.upload(rule, join(dir, "nowhere"), context);
  await mkdir(join(dir, "empty"));
  await transfers.upload(rule, join(dir, "empty"), context);
  expect(storage.requests).toEqual([]);
});

test("names with odd characters survive signing and come back the same", async () => {
  const { storage, transfers, context, dir } = await setUp();
  const names = [
    "a b+c%20d#e?f&g=h",
    "ünï/日本語 \u{1F415}",
    "quotes '\"<>!*()",
    "tab\tand\nnewline",
    "~-_.@:,;$",
  ];
  for (const name of names) {
    await mkdir(join(dir, "from", name, ".."), { recursive: true });
    await writeFile(join(dir, "from", name), name);
  }
  await transfers.upload({ ...rule, prefix: "odd +%/" }, join(dir, "from"), context);
  expect(storage.keys(bucket)).toEqual(names.map((name) => `odd +%/${name}`).sort());
  const known = await transfers.download(
    [{ ...rule, prefix: "odd +%/", local_path: "back", direction: "download" }],
    context,
  );
  expect([...known.keys()].sort()).toEqual(names.map((name) => join(dir, "back", name)).sort());
});

test("output upload that keeps failing names the files, and saves the others", async () => {
  const { storage, transfers, context, dir } = await setUp();
  for (const name of ["bad1", "bad2", "good"]) await writeFile(join(dir, name), name);
  storage.faults.push(({ key }) => (key.includes("bad") ? { kind: "answer", status: 500 } : undefined));
  const failure = await failureOf(transfers.upload(rule, dir, context));
  expect(failure.fault).toBe("storage");
  for (const name of ["/output/bad1", "/output/bad2", "work/results/bad1"])
    expect(failure.message).toContain(name);
  expect(storage.keys(bucket)).toEqual(["results/good"]);
});

test("an acknowledged output that is not there is uploaded again", async () => {
  const { storage, transfers, context, dir, problems } = await setUp();
  await writeFile(join(dir, "a"), "x");
  storage.faults.push(first(1, { kind: "forgets" }, isPut));
  await transfers.upload(rule, dir, context);
  expect(storage.text(bucket, "results/a")).toBe("x");
  expect(problems.length).toBe(1);
});

test("an output with another content of the same size is noticed and uploaded again", async () => {
  const { storage, transfers, context, dir } = await setUp();
  await writeFile(join(dir, "a"), "x");
  storage.faults.push(first(1, { kind: "corrupts" }, isPut));
  await transfers.upload(rule, dir, context);
  expect(storage.text(bucket, "results/a")).toBe("x");
});

test("a storage that never keeps what it acknowledges is given up, by name", async () => {
  const { storage, transfers, context, dir } = await setUp();
  await writeFile(join(dir, "a"), "x");
  storage.faults.push(first(100, { kind: "forgets" }, isPut));
  const failure = await failureOf(transfers.upload(rule, dir, context));
  expect(failure.message).toContain("/output/a");
  expect(storage.requests.filter(isPut).length).toBe(3);
});

test.each<[string, Fault]>([
  ["500", { kind: "answer", status: 500 }],
  ["503 SlowDown", { kind: "answer", status: 503, code: "SlowDown" }],
  ["429", { kind: "answer", status: 429 }],
  ["408", { kind: "answer", status: 408 }],
  ["400 RequestTimeout", { kind: "answer", status: 400, code: "RequestTimeout" }],
  ["a reset connection", { kind: "reset" }],
  ["a lost answer", { kind: "losesAnswer" }],
])("tried again after %s", async (_, fault) => {
  const { storage, transfers, context, dir } = await setUp();
  await writeFile(join(dir, "a"), randomBytes(300_000));
  storage.faults.push(first(3, fault, isPut));
  await transfers.upload(rule, dir, context);
  expect(storage.requests.filter(isPut).length).toBe(4);
});

test.each([400, 403, 404, 501])("never tried again after %i", async (status) => {
  const { storage, transfers, context, dir } = await setUp();
  await writeFile(join(dir, "a"), "x");
  storage.faults.push(first(1, { kind: "answer", status }, isPut));
  await failureOf(transfers.upload(rule, dir, context));
  expect(storage.requests.filter(isPut).length).toBe(1);
});

test("a name that the storage does not take (404 to a PUT) fails the job, so that it ends", async () => {
  const { storage, transfers, context, dir } = await setUp();
  await writeFile(join(dir, "line\nbreak"), "x");
  storage.faults.push(first(1, { kind: "answer", status: 404, code: "NoSuchKey" }, isPut));
  const failure = await failureOf(transfers.upload(rule, dir, context));
  expect(failure.fault).toBe("config");
  expect(failure.message).toContain("line\nbreak");
});

test("a storage that stops moving bytes is given up and asked again", async () => {
  const { storage, transfers, context, dir } = await setUp({ stallTimeoutMs: 150 });
  await writeFile(join(dir, "a"), "x");
  const never = Promise.withResolvers<void>();
  storage.faults.push(first(1, { kind: "hold", until: never.promise }, isPut));
  await transfers.upload(rule, dir, context);
  never.resolve();
  expect(storage.requests.filter(isPut).length).toBe(2);
});

test("a session token goes with every request", async () => {
  const { storage, transfers, context, dir } = await setUp({ sessionToken: "token-of-the-session" });
  await writeFile(join(dir, "a"), "x");
  await transfers.upload(rule, dir, context);
  const signed = storage.requests.map(({ headers }) => [
    headers["x-amz-security-token"],
    headers.authorization?.includes("x-amz-security-token"),
  ]);
  expect(signed).toEqual([
    ["token-of-the-session", true],
    ["token-of-the-session", true],
  ]);
});

async function largeFile() {
  const bench = await setUp();
  const content = randomBytes(20 * 1024 * 1024 + 17);
  await writeFile(join(bench.dir, "large"), content);
  const sha256 = createHash("sha256").update(content).digest("hex");
  const arrived = () => bench.storage.get(bucket, "results/large")?.sha256 === sha256;
  return { ...bench, arrived };
}

const isPart = ({ method, query }: SeenRequest) => method === "PUT" && query.has("partNumber");

test("a large file goes up in equal parts, each tried again on its own, and becomes visible once", async () => {
  const { storage, transfers, context, dir, arrived } = await largeFile();
  storage.faults.push(first(2, { kind: "answer", status: 503, code: "SlowDown" }, isPart));
  await transfers.upload(rule, dir, context);
  expect(arrived()).toBe(true);
  expect(storage.changes.length).toBe(1);
  expect(storage.requests.filter(isPart).length).toBe(3 + 2);
});

test.each<[string, Fault, number]>([
  ["an error in the body of a 200", { kind: "errorInBody", code: "InternalError" }, 1],
  ["a lost answer, so that nobody knows", { kind: "losesAnswer" }, 2],
])("completing a large file survives %s", async (_, fault, visible) => {
  const { storage, transfers, context, dir, arrived } = await largeFile();
  storage.faults.push(first(1, fault, isComplete));
  await transfers.upload(rule, dir, context);
  expect(arrived()).toBe(true);
  expect(storage.changes.length).toBe(visible);
  expect(storage.requests.filter(isPart).length).toBe(3 * visible);
});

test("a large file that cannot be brought up leaves no parts behind", async () => {
  const { storage, transfers, context, dir } = await largeFile();
  storage.faults.push(({ query }) =>
    query.get("partNumber") === "3" ? { kind: "answer", status: 403, code: "AccessDenied" } : undefined,
  );
  const failure = await failureOf(transfers.upload(rule, dir, context));
  expect(failure.fault).toBe("config");
  await storage.until(() => storage.unfinishedUploads === 0);
  expect(storage.changes).toEqual([]);
});

test.each([16, 17, 1000, 80_000, 200_000, 5_000_000].map((mebibytes) => mebibytes * 1024 * 1024 + 1))(
  "the parts of %i bytes cover it, keep S3's bounds and R2's equal sizes",
  (sizeBytes) => {
    const parts = partsOf(sizeBytes);
    const sizes = new Set(parts.slice(0, -1).map((part) => part.lengthBytes));
    expect(parts.reduce((end, part) => (part.offsetBytes === end ? end + part.lengthBytes : -1), 0)).toBe(
      sizeBytes,
    );
    expect(parts.length).toBeLessThanOrEqual(10_000);
    expect(sizes.size).toBe(1);
    expect(Math.min(...sizes)).toBeGreaterThanOrEqual(5 * 1024 * 1024);
  },
);
