/** Against R2's own S3 endpoint as `wrangler dev` runs it: the one far side here that checks signatures. */
import { randomBytes } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AwsV4Signer } from "aws4fetch";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createTestHarness } from "wrangler";
import { HttpClient } from "../../src/transfer/http-client.ts";
import { TransferError } from "../../src/transfer/ports.ts";
import { createTransfers } from "../../src/transfer/transfers.ts";
import { failureOf, noApi, quick, setUp } from "./bench.ts";

process.env.X_LOCAL_OBSERVABILITY = "false";
process.env.WRANGLER_SEND_METRICS = "false";

const bucket = "kelpie-checkpoints";
const harness = createTestHarness({
  workers: [{ configPath: join(import.meta.dirname, "r2/wrangler.toml") }],
});
let endpointUrl: string;

beforeAll(async () => {
  const { url } = await harness.listen();
  endpointUrl = `${String(url).replace(/\/$/, "")}/cdn-cgi/local/r2/s3`;
}, 60_000);
afterAll(() => harness.close());

async function onR2() {
  const bench = await setUp();
  return { ...bench, transfers: createTransfers({ ...quick, endpointUrl }, noApi) };
}

test("odd names, empty and large files go up, are verified, and come back the same", async () => {
  const { transfers, context, dir } = await onR2();
  const contents = new Map([
    ["a b+c%20d#e?f&g=h", randomBytes(1000)],
    ["ünï/日本語 \u{1F415}", randomBytes(10)],
    ["quotes '\"<>!*() ~-_.@:,;$", randomBytes(10)],
    ["empty", Buffer.alloc(0)],
    ["large.bin", randomBytes(20 * 1024 * 1024 + 17)],
  ]);
  for (const [name, content] of contents) {
    await mkdir(join(dir, "from", name, ".."), { recursive: true });
    await writeFile(join(dir, "from", name), content);
  }
  const upload = { bucket, prefix: "odd +%/", local_path: "from", direction: "upload" } as const;
  await transfers.upload(upload, join(dir, "from"), context);
  await transfers.download([{ ...upload, local_path: "back", direction: "download" }], context);
  for (const [name, content] of contents) {
    expect([name, (await readFile(join(dir, "back", name))).equals(content)]).toEqual([name, true]);
  }
});

test("31 objects mirrored and deleted again", async () => {
  const { transfers, context, dir } = await onR2();
  const rule = { bucket, prefix: "many/", local_path: "many", direction: "upload" } as const;
  await mkdir(join(dir, "many"));
  for (let number = 0; number < 30; number += 1) await writeFile(join(dir, "many", `${number}`), `${number}`);
  const mirror = await transfers.mirror(rule, new Map(), context);
  await writeFile(join(dir, "many/last"), "last");
  await mirror.finish();
  const download = { ...rule, local_path: "again", direction: "download" } as const;
  const known = await transfers.download([download], context);
  expect(known.size).toBe(31);
  const next = await transfers.mirror({ ...rule, local_path: "again" }, known, context);
  for (const path of known.keys()) if (!path.endsWith("/last")) await rm(path);
  await next.finish();
  expect((await transfers.download([{ ...download, local_path: "third" }], context)).size).toBe(1);
});

test("a wrong secret is the user's to mend", async () => {
  const { context, dir } = await onR2();
  await writeFile(join(dir, "a"), "x");
  const transfers = createTransfers({ ...quick, endpointUrl, secretAccessKey: "wrong" }, noApi);
  const rule = { bucket, prefix: "denied/", local_path: dir, direction: "upload" } as const;
  const failure = await failureOf(transfers.upload(rule, dir, context));
  expect(failure).toBeInstanceOf(TransferError);
  expect([failure.fault, failure.message]).toEqual([
    "config",
    expect.stringContaining("SignatureDoesNotMatch"),
  ]);
});

test("a presigned URL, as managed storage grants it, takes a range and a condition on top", async () => {
  const { context, dir, transfers } = await onR2();
  const content = randomBytes(1000);
  await mkdir(join(dir, "from"));
  await writeFile(join(dir, "from/a"), content);
  await transfers.upload(
    { bucket, prefix: "signed/", local_path: "from", direction: "upload" },
    join(dir, "from"),
    context,
  );
  const { accessKeyId, secretAccessKey } = quick;
  const signer = new AwsV4Signer({
    method: "GET",
    url: `${endpointUrl}/${bucket}/signed/a?X-Amz-Expires=60`,
    accessKeyId,
    secretAccessKey,
    service: "s3",
    region: "auto",
    signQuery: true,
    allHeaders: true,
  });
  const url = String((await signer.sign()).url);
  const http = new HttpClient({ concurrentRequests: 1 });
  const wanted = (headers: Record<string, string>) =>
    http.exchange(
      () => ({ method: "GET", url, headers }),
      context.signal,
      async (answer) => ({
        etag: answer.header("etag") ?? "",
        range: answer.header("content-range"),
      }),
    );
  const { etag } = await wanted({});
  expect((await wanted({ range: "bytes=10-19", "if-match": etag })).range).toBe("bytes 10-19/1000");
  await expect(wanted({ range: "bytes=10-19", "if-match": '"another"' })).rejects.toThrow("412");
});
