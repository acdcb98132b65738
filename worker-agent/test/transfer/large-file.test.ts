import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { bucket, temporaryDirectory } from "./bench.ts";
import { S3Server } from "./s3-server.ts";

const mebibyte = 1024 * 1024;

test("a 1 GB file uploads with bounded memory", async () => {
  const storage = await S3Server.start(bucket);
  onTestFinished(() => storage.close());
  storage.keepsBytes = false;
  const dir = await temporaryDirectory();
  const sizeBytes = 1024 * mebibyte;
  const file = await open(join(dir, "weights"), "w+");
  onTestFinished(() => file.close());
  await file.truncate(sizeBytes);
  // Sparse, but each part's content is its own.
  for (let offset = 0; offset < sizeBytes; offset += 8 * mebibyte)
    await file.write(`at ${offset}`, offset + 12_345);

  const script = join(import.meta.dirname, "upload-in-child.ts");
  const { stdout } = await promisify(execFile)(process.execPath, [script, storage.url, dir]);
  const { rssBytes, rssBeforeBytes } = JSON.parse(stdout) as { rssBytes: number; rssBeforeBytes: number };
  const [peak, before] = [rssBytes, rssBeforeBytes].map((bytes) => Math.round(bytes / mebibyte));
  console.info(`1 GB uploaded: peak RSS ${peak} MiB, ${before} MiB before`);

  expect(storage.changes.map((change) => change.sizeBytes)).toEqual([sizeBytes]);
  const [parts = []] = storage.completedParts;
  let offset = 0;
  for (const part of parts) {
    const { buffer } = await file.read(Buffer.alloc(part.sizeBytes), 0, part.sizeBytes, offset);
    // Every eighth is enough: the sparse rest differs by its mark alone, and so does each of these.
    if ((offset / part.sizeBytes) % 8 === 1)
      expect(part.sha256).toBe(createHash("sha256").update(buffer).digest("hex"));
    offset += part.sizeBytes;
  }
  expect(rssBytes).toBeLessThan(250 * mebibyte);
});
