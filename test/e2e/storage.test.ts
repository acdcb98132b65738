/**
 * Managed storage over real HTTP, by both kinds of URLs: presigned ones, which go to the bucket's S3 side (the local one checks
 * signatures), and the API's own. Whoever uses them cannot tell which: the same requests, the same outcomes.
 */
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type {
  ClaimedJob,
  Grant,
  Grants,
  LeaseProof,
  StoredFileList,
  Upload,
} from "../../src/contract/index.ts";
import { type LocalApi, startLocalApi } from "../../tools/local-api.ts";
import { createClient } from "../../tools/local-client.ts";
import { freePort, urlKinds } from "./url-kinds.ts";

const md5 = (content: string | Buffer) => createHash("md5").update(content).digest("hex");
const sha256 = (content: string | Buffer) => createHash("sha256").update(content).digest("hex");

describe.each(urlKinds)("$name URLs", ({ name: kind, varsFor, signatureName }) => {
  const directory = mkdtempSync(join(tmpdir(), "kelpie-storage-"));
  let api: LocalApi;
  let userKey: string;
  let jobId: string;
  let proof: LeaseProof;

  async function send<Body>(
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: Body }> {
    const response = await fetch(`${api.url}${path}`, {
      method,
      headers: { "X-Kelpie-Key": userKey },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: response.status, body: (await response.json()) as Body };
  }
  const underLease = <Body>(what: string, fields: Record<string, unknown>) =>
    send<Body>("POST", `/jobs/${jobId}/storage/${what}`, { ...proof, ...fields });
  async function grant(request: Record<string, unknown>): Promise<Grant> {
    const { status, body } = await underLease<Grants>("grants", { requests: [request] });
    expect([status, body.grants?.length]).toEqual([200, 1]);
    return body.grants[0] as Grant;
  }
  /** Uses a URL as it was granted; `headers` go over its own, undefined ones take them away. */
  async function use(
    { method, url, headers }: Grant,
    content?: string | Buffer,
    more: Record<string, string | undefined> = {},
  ) {
    const given = Object.entries({ ...headers, ...more }).filter(([, value]) => value !== undefined);
    const response = await fetch(url, {
      method,
      headers: Object.fromEntries(given) as Record<string, string>,
      ...(content === undefined ? {} : { body: content }),
    });
    return { status: response.status, text: await response.text(), etag: response.headers.get("etag") ?? "" };
  }
  const seen = async (key: string) => {
    const { status, text } = await use(await grant({ kind: "get", key }));
    return status === 404 ? null : text;
  };

  beforeAll(async () => {
    const port = await freePort();
    api = await startLocalApi({ persistTo: join(directory, "api"), port, vars: varsFor(port) });
    userKey = (await createClient(api, "storage")).key;
    const rule = { prefix: "out/", local_path: "out", direction: "upload" };
    const submission = {
      command: "x",
      container_group_id: "g",
      heartbeat_interval: 120,
      sync: { after: [rule] },
    };
    expect((await send("POST", "/jobs", submission)).status).toBe(202);
    const work = await send<ClaimedJob[]>("GET", "/work?machine_id=m&container_group_id=g&claim_id=c");
    const [job] = work.body;
    if (!job?.lease_token) throw new Error("nothing was claimed");
    jobId = job.id;
    proof = {
      machine_id: "m",
      container_group_id: "g",
      attempt: job.attempt,
      lease_token: job.lease_token,
    };
  });
  afterAll(async () => {
    await api?.stop();
    rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
  });

  test("carry files with odd names, empty ones, and one with all its headers", async () => {
    for (const key of [
      "a b+c%20d#e?f&g=h",
      "ünï/日本語 \u{1F415}",
      "quotes '\"<>!*() ~-_.@:,;$",
      "%2e%2e/100%",
    ]) {
      const put = await grant({ kind: "put", area: "files", key, size: 5, md5: md5("hello") });
      expect(new URL(put.url).searchParams.has(signatureName)).toBe(true);
      expect([key, (await use(put, "hello")).status]).toEqual([key, 200]);
      expect([key, await seen(key)]).toEqual([key, "hello"]);
      const path = key.split("/").map(encodeURIComponent).join("/");
      const byPath = await fetch(`${api.url}/files/${path}`, { headers: { "X-Kelpie-Key": userKey } });
      expect([key, await byPath.text()]).toEqual([key, "hello"]);
    }
    const empty = await grant({ kind: "put", area: "files", key: "empty", size: 0, md5: md5("") });
    expect((await use(empty, "")).status).toBe(200);
    expect(await seen("empty")).toBe("");
    const content = { content_type: "text/x-kelpie", content_encoding: "identity" };
    const typed = await grant({ kind: "put", area: "files", key: "typed", size: 2, ...content });
    expect((await use(typed, "hi")).status).toBe(200);
    const head = await fetch(`${api.url}/files/typed`, {
      method: "HEAD",
      headers: { "X-Kelpie-Key": userKey },
    });
    expect([head.status, head.headers.get("content-type")]).toEqual([200, "text/x-kelpie"]);
    expect([head.headers.get("content-length"), head.headers.get("etag")]).toEqual(["2", `"${md5("hi")}"`]);
    const list = await send<StoredFileList>("GET", "/files?limit=1000");
    expect(list.body.files).toHaveLength(6);
  });

  test("refuse another size, other bytes, another key, another method; nothing is stored", async () => {
    const content = "the right content";
    const wish = { kind: "put", area: "files", key: "refused", size: content.length, md5: md5(content) };
    const put = await grant(wish);
    const other = (change: (url: URL) => void): Grant => {
      const url = new URL(put.url);
      change(url);
      return { ...put, url: url.toString() };
    };
    const refusals = [
      await use(put, `${content}!`),
      await use(put, "the right conten"),
      await use(put, "the wrong content"),
      await use(
        other((url) => url.searchParams.set(signatureName, "0".repeat(64))),
        content,
      ),
      await use(
        other((url) => {
          url.pathname = url.pathname.replace("refused", "elsewhere");
          if (url.searchParams.has("key")) url.searchParams.set("key", "elsewhere");
        }),
        content,
      ),
      await use({ ...put, method: "GET" }),
    ];
    for (const { status } of refusals) expect([400, 403]).toContain(status);
    expect([await seen("refused"), await seen("elsewhere")]).toEqual([null, null]);
    expect((await use(put, content)).status).toBe(200);
  });

  test("never write a chunk twice", async () => {
    const content = "a chunk";
    const digests = { sha256: sha256(content), md5: md5(content) };
    const put = await grant({ kind: "put_chunk", generation: 1, size: content.length, ...digests });
    expect((await use(put, content)).status).toBe(200);
    expect((await use(put, content)).status).toBe(412);
    // Without the precondition that was granted: presigned, the signature misses it; our own URL carries it itself.
    expect([403, 412]).toContain((await use(put, content, { "If-None-Match": undefined })).status);
    const get = { kind: "get_chunk", attempt: 1, generation: 1, sha256: digests.sha256 };
    expect((await use(await grant(get))).text).toBe(content);
  });

  test("end with their time", async () => {
    const brief = await send<Grant>("POST", "/files/urls", {
      method: "PUT",
      key: "late",
      size: 1,
      expires_seconds: 1,
    });
    await sleep(2_100);
    expect((await use(brief.body, "x")).status).toBe(403);
    expect(await seen("late")).toBeNull();
  });

  test("give ranges", async () => {
    await use(await grant({ kind: "put", area: "files", key: "digits", size: 10 }), "0123456789");
    const get = await grant({ kind: "get", key: "digits" });
    expect(await use(get, undefined, { Range: "bytes=2-4" })).toMatchObject({ status: 206, text: "234" });
    expect((await use(get, undefined, { Range: "bytes=10-" })).status).toBe(416);
  });

  test("carry objects in parts: complete once, told twice, of the told size or not at all", async () => {
    const first = Buffer.alloc(5 * 1024 * 1024, "x");
    const last = Buffer.from("the end");
    const begin = async (key: string) =>
      (await underLease<Upload>("uploads", { area: "files", key, content_type: "text/x-parts" })).body
        .upload_id;
    const sendPart = async (key: string, upload_id: string, part_number: number, content: Buffer) => {
      const object = { kind: "part", area: "files", key, upload_id, part_number };
      const part = await grant({ ...object, size: content.length, md5: md5(content) });
      expect([400, 403]).toContain((await use(part, Buffer.alloc(content.length, "y"))).status);
      const stored = await use(part, content);
      expect(stored.status).toBe(200);
      return { part_number, etag: stored.etag.replaceAll('"', "") };
    };
    const upload_id = await begin("parts");
    const parts = [await sendPart("parts", upload_id, 1, first), await sendPart("parts", upload_id, 2, last)];
    const whole = { area: "files", key: "parts", upload_id, size: first.length + last.length, parts };
    expect(await seen("parts")).toBeNull();
    expect((await underLease("uploads/complete", whole)).status).toBe(200);
    expect((await underLease("uploads/complete", whole)).status).toBe(200);
    expect(await seen("parts")).toBe(first.toString() + last);
    const head = await fetch(`${api.url}/files/parts`, {
      method: "HEAD",
      headers: { "X-Kelpie-Key": userKey },
    });
    expect(head.headers.get("content-type")).toBe("text/x-parts");

    const wrong = await begin("wrong");
    const part = await sendPart("wrong", wrong, 1, last);
    const bad = {
      area: "files",
      key: "wrong",
      upload_id: wrong,
      size: 7,
      parts: [{ ...part, etag: "nope" }],
    };
    expect(await underLease("uploads/complete", bad)).toMatchObject({
      status: 400,
      body: { field: "parts" },
    });
    const told = { area: "files", key: "wrong", upload_id: wrong, size: 8, parts: [part] };
    expect(await underLease("uploads/complete", told)).toMatchObject({
      status: 409,
      body: { reason: "wrong_size" },
    });
    expect(await seen("wrong")).toBeNull();

    const aborted = await begin("aborted");
    const object = { area: "files", key: "aborted", upload_id: aborted };
    for (const status of [200, 200]) expect((await underLease("uploads/abort", object)).status).toBe(status);
    const lost = await underLease("uploads/complete", { ...object, size: 7, parts: [part] });
    expect(lost.status).toBe(404);
  });

  test("publish outputs with the job's completion, and nothing after it", async () => {
    const put = { kind: "put", area: "outputs", key: "result.txt", size: 6 };
    expect((await use(await grant(put), "result")).status).toBe(200);
    const files = [{ key: "result.txt", size: 6, md5: md5("result") }];
    expect(await underLease("outputs", { files })).toEqual({ status: 200, body: { wrong: [] } });
    expect(await seen("result.txt")).toBeNull();
    expect((await send("POST", `/jobs/${jobId}/completed`, proof)).status).toBe(200);
    const url = await send<Grant>("POST", "/files/urls", { method: "GET", key: "result.txt" });
    expect((await use(url.body)).text).toBe("result");
    const refused = await underLease("grants", { requests: [put] });
    expect(refused).toMatchObject({ status: 409, body: { reason: "completed" } });
  });

  test("never appear in what the API logs", () => {
    expect([kind, api.tail(1000)]).not.toEqual([kind, expect.stringContaining(signatureName)]);
  });
});
