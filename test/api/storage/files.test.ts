/** People's files: streams, lists, deletes, URLs; and published outputs among them. */
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import type { ErrorBody, FilesDeleted, Grant, Grants, StoredFileList } from "../../../src/contract/index.ts";
import { prepare } from "../../../src/db/prepare.ts";
import { recordOutputs } from "../../../src/db/storage/outputs.ts";
import { type FilePage, listFiles } from "../../../src/storage/list-files.ts";
import { adminKey, send, signUp } from "../http/client.ts";
import {
  bytes,
  claimHeld,
  fetchFile,
  grant,
  type HeldJob,
  holdJob,
  md5,
  putFile,
  readAs,
  textOf,
  transfer,
  underLease,
} from "./client.ts";

const oddKeys = [
  "a b+c%20d#e?f&g=h",
  "100%",
  "%2e%2e/%41",
  "ünï/日本語 \u{1F415}",
  "quotes '\"<>!*() ~-_.@:,;$",
  "back\\slash",
  "[x]{y}|^`",
  "urls",
  "uploads/complete",
  "deep/er/and/deeper.txt",
];

async function list(key: string, query = ""): Promise<StoredFileList> {
  const { status, body } = await send<StoredFileList>("GET", `/files${query}`, { key });
  expect([query, status]).toEqual([query, 200]);
  return body;
}
const keysOf = async (key: string, query = "") => (await list(key, query)).files.map((file) => file.key);

/** Uploads, records and completes: what an agent does with `after` outputs. */
async function complete(held: HeldJob, outputs: Record<string, string>): Promise<void> {
  const files = [];
  for (const [key, content] of Object.entries(outputs)) {
    await transfer(await grant(held, { kind: "put", area: "outputs", key, size: bytes(content) }), content);
    files.push({ key, size: bytes(content), md5: await md5(content) });
  }
  expect(await underLease(held, "outputs", { files })).toMatchObject({ status: 200, body: { wrong: [] } });
  const report = { key: held.userKey, body: held.proof };
  expect((await send("POST", `/jobs/${held.jobId}/completed`, report)).status).toBe(200);
}

describe("one file", () => {
  let key: string;
  beforeAll(async () => {
    ({ key } = await signUp("one-file"));
  });

  test.each(oddKeys)("%s goes in and comes out, by path and by URL", async (name) => {
    await putFile(key, name, `content of ${name}`);
    expect(await readAs(key, name)).toBe(`content of ${name}`);
    const body = { method: "GET", key: name };
    const url = await send<Grant>("POST", "/files/urls", { key, body });
    expect(await textOf(await transfer(url.body))).toBe(`content of ${name}`);
    expect(await keysOf(key, `?prefix=${encodeURIComponent(name)}`)).toEqual([name]);
    expect((await fetchFile(key, "DELETE", name)).status).toBe(200);
    expect(await readAs(key, name)).toBeNull();
  });

  test("tells what it is, and that it is no page of ours", async () => {
    const html = "<script>alert(1)</script>";
    await fetchFile(key, "PUT", "page.html", html, { "Content-Type": "text/html" });
    const { status, headers } = await fetchFile(key, "GET", "page.html");
    expect(status).toBe(200);
    expect(Object.fromEntries(headers)).toMatchObject({
      "content-type": "text/html",
      "content-disposition": "attachment",
      "x-content-type-options": "nosniff",
      "cache-control": "private, no-cache",
      "content-length": String(html.length),
      etag: `"${await md5(html)}"`,
    });
  });

  test("HEAD tells the same without a body; a range, an unchanged and a missing file", async () => {
    await putFile(key, "digits", "0123456789");
    const head = await fetchFile(key, "HEAD", "digits");
    expect([head.status, head.headers.get("content-length"), await textOf(head)]).toEqual([200, "10", ""]);
    const etag = head.headers.get("etag") ?? "";
    const range = await fetchFile(key, "GET", "digits", undefined, { Range: "bytes=3-5" });
    expect([range.status, await textOf(range)]).toEqual([206, "345"]);
    expect((await fetchFile(key, "GET", "digits", undefined, { Range: "bytes=10-" })).status).toBe(416);
    expect((await fetchFile(key, "GET", "digits", undefined, { "If-None-Match": etag })).status).toBe(304);
    expect((await fetchFile(key, "GET", "digits", undefined, { "If-Match": '"x"' })).status).toBe(412);
    for (const method of ["GET", "HEAD"]) expect((await fetchFile(key, method, "nothing")).status).toBe(404);
  });

  test.each([
    ["bytes=0-", 206, "0123456789", "bytes 0-9/10"],
    ["bytes=5-99", 206, "56789", "bytes 5-9/10"],
    ["bytes=-1", 206, "9", "bytes 9-9/10"],
    ["bytes=-99", 206, "0123456789", "bytes 0-9/10"],
    ["bytes=-0", 416, null, null],
    ["bytes=10-", 416, null, null],
    ["bytes=999999999999999-", 416, null, null],
    // No range that we know, or several: all of it, as HTTP allows.
    ["bytes=5-3", 200, "0123456789", null],
    ["bytes=-", 200, "0123456789", null],
    ["bytes=0-0,2-3", 200, "0123456789", null],
    ["lines=0-1", 200, "0123456789", null],
    ["bytes=1-99999999999999999999", 200, "0123456789", null],
  ])("the range %s is answered %i", async (range, status, content, told) => {
    await putFile(key, "digits", "0123456789");
    const response = await fetchFile(key, "GET", "digits", undefined, { Range: range });
    const text = await textOf(response);
    expect([response.status, response.headers.get("content-range")]).toEqual([status, told]);
    if (content !== null) expect(text).toBe(content);
  });

  test("an empty file is there whole, and has no range", async () => {
    await putFile(key, "empty", "");
    for (const method of ["GET", "HEAD"]) {
      const { status, headers } = await fetchFile(key, method, "empty");
      expect([method, status, headers.get("content-length")]).toEqual([method, 200, "0"]);
    }
    for (const range of ["bytes=0-", "bytes=0-0", "bytes=-1"])
      expect((await fetchFile(key, "GET", "empty", undefined, { Range: range })).status).toBe(416);
  });

  test("conditions hold for HEAD as for GET, and nonsense in them is no trouble of ours", async () => {
    await putFile(key, "conditions", "0123456789");
    const etag = (await fetchFile(key, "HEAD", "conditions")).headers.get("etag") ?? "";
    const cases: [Record<string, string>, number][] = [
      [{ "If-None-Match": etag }, 304],
      [{ "If-None-Match": `"x", W/${etag}` }, 304],
      [{ "If-None-Match": "*" }, 304],
      [{ "If-None-Match": '"x"' }, 200],
      [{ "If-Match": '"x"' }, 412],
      [{ "If-Match": etag }, 200],
      [{ "If-Modified-Since": "yesterday" }, 200],
      [{ "If-Modified-Since": new Date(Date.now() + 1000).toUTCString() }, 304],
      [{ "If-None-Match": "x" }, 400],
      [{ "If-Match": `${etag}, x` }, 400],
    ];
    for (const [headers, status] of cases) {
      for (const method of ["GET", "HEAD"]) {
        const response = await fetchFile(key, method, "conditions", undefined, headers);
        await textOf(response);
        expect([method, headers, response.status]).toEqual([method, headers, status]);
      }
    }
  });

  test("a write keeps its condition or is refused, and so is a deletion: never done all the same", async () => {
    await putFile(key, "mine", "first");
    const etag = (await fetchFile(key, "HEAD", "mine")).headers.get("etag") ?? "";
    const put = (headers: Record<string, string>) => fetchFile(key, "PUT", "mine", "other", headers);
    const refused: [Record<string, string>, number, string?][] = [
      [{ "If-Match": '"0123456789abcdef0123456789abcdef"' }, 412],
      [{ "If-Match": `${etag}, "x"` }, 400, "If-Match"],
      [{ "If-Match": "*" }, 400, "If-Match"],
      [{ "If-Match": etag, "If-None-Match": "*" }, 400, "If-Match"],
      [{ "If-None-Match": etag }, 400, "If-None-Match"],
      [{ "If-Unmodified-Since": new Date(0).toUTCString() }, 400, "if-unmodified-since"],
    ];
    for (const [headers, status, field] of refused) {
      const response = await put(headers);
      const body = await response.json<ErrorBody>();
      expect([headers, response.status, body.field]).toEqual([headers, status, field]);
    }
    const deleted = await fetchFile(key, "DELETE", "mine", undefined, { "If-Match": etag });
    expect([deleted.status, (await deleted.json<ErrorBody>()).field]).toEqual([400, "if-match"]);
    expect(await readAs(key, "mine")).toBe("first");
    expect((await put({ "If-Match": etag })).status).toBe(200);
    expect((await put({ "If-Match": etag })).status).toBe(412);
    expect(await readAs(key, "mine")).toBe("other");
    expect((await fetchFile(key, "PUT", "nothing there", "x", { "If-Match": etag })).status).toBe(412);
    expect(await readAs(key, "nothing there")).toBeNull();
  });

  test.each(["Content-Type", "Content-Encoding"])("a %s that cannot be kept is a 400", async (name) => {
    for (const value of ["x".repeat(5000), "text/pl\u00e4in"]) {
      const response = await fetchFile(key, "PUT", "described", "x", { [name]: value });
      const body = await response.json<ErrorBody>();
      expect([response.status, body.field]).toEqual([400, name]);
    }
    expect(await readAs(key, "described")).toBeNull();
  });

  test("what is stored compressed comes back so", async () => {
    const stream = new Blob(["hello"]).stream().pipeThrough(new CompressionStream("gzip"));
    const packed = new Uint8Array(await new Response(stream).arrayBuffer());
    const put = (body: Uint8Array) =>
      exports.default.fetch(
        new Request("https://api.test/files/packed", {
          method: "PUT",
          headers: {
            "X-Kelpie-Key": key,
            "Content-Length": String(body.byteLength),
            "Content-Encoding": "gzip",
          },
          body,
        }),
      );
    expect((await put(packed)).status).toBe(200);
    const response = await fetchFile(key, "GET", "packed");
    expect(response.headers.get("content-encoding")).toBe("gzip");
    expect(response.headers.get("content-length")).toBe(String(packed.byteLength));
  });

  test("If-None-Match: * writes only where nothing is", async () => {
    const once = (content: string) => fetchFile(key, "PUT", "once", content, { "If-None-Match": "*" });
    expect((await once("first")).status).toBe(200);
    expect((await once("second")).status).toBe(412);
    expect(await readAs(key, "once")).toBe("first");
  });

  test("no length is a 411, more than 100 MB a 413; neither is read", async () => {
    const body = new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(65_536)) });
    const headers = { "X-Kelpie-Key": key };
    const unsaid = new Request("https://api.test/files/endless", { method: "PUT", headers, body });
    expect((await exports.default.fetch(unsaid)).status).toBe(411);
    const large = { "Content-Length": "100000001" };
    expect((await fetchFile(key, "PUT", "endless", "x", large)).status).toBe(413);
    expect((await fetchFile(key, "PUT", "endless", "x", { "Content-Length": "2" })).status).toBe(400);
    expect(await readAs(key, "endless")).toBeNull();
  });
});

describe("URLs", () => {
  let key: string;
  beforeAll(async () => {
    ({ key } = await signUp("urls"));
  });
  const url = (body: unknown) => send<Grant>("POST", "/files/urls", { key, body });

  test("to write one file of one size, and to read it", async () => {
    const put = await url({ method: "PUT", key: "a", size: 5, content_type: "text/plain" });
    expect([put.status, put.body.expires_seconds]).toEqual([200, 3599]);
    expect((await transfer(put.body, "hello")).status).toBe(200);
    const get = await url({ method: "GET", key: "a", expires_seconds: 60 });
    expect([get.status, get.body.expires_seconds]).toEqual([200, 59]);
    expect(await textOf(await transfer(get.body))).toBe("hello");
  });

  test.each([
    ["size", { method: "PUT", key: "a" }],
    ["size", { method: "PUT", key: "a", size: 100_000_001 }],
    ["expires_seconds", { method: "GET", key: "a", expires_seconds: 3601 }],
    ["method", { method: "DELETE", key: "a" }],
    ["key", { method: "GET", key: "" }],
  ])("a %s that cannot be is a 400", async (field, body) => {
    const { status, body: error } = await url(body);
    expect([status, (error as unknown as { field: string }).field]).toEqual([400, field]);
  });

  test("for parts, 500 at once", async () => {
    const begun = await send<{ upload_id: string }>("POST", "/files/uploads", { key, body: { key: "many" } });
    const parts = Array.from({ length: 500 }, (_, i) => ({ part_number: i + 1, size: 5 * 1024 * 1024 }));
    const body = { key: "many", upload_id: begun.body.upload_id, parts };
    const answer = await send<Grants>("POST", "/files/uploads/part-urls", { key, body });
    expect([answer.status, answer.body.grants.length]).toEqual([200, 500]);
  });
});

describe("lists", () => {
  let user: { id: string; key: string };
  beforeAll(async () => {
    user = await signUp("lists");
  });

  test("go page by page in the order of the keys' bytes, whatever they are", async () => {
    // UTF-16 would put the last but one, a surrogate pair, before U+FF5E.
    const keys = ["A", "a", "a/b", "a0", "b", "b/x", "\u00e9", "\uff5e", "\u{1F415}"];
    const prefixed = keys.map((key) => `order/${key}`);
    for (const key of prefixed.toReversed()) await putFile(user.key, key, key);
    for (const limit of [1, 2, 5, 1000]) {
      const seen: string[] = [];
      let cursor: string | null = "";
      while (cursor !== null) {
        const from: string = cursor === "" ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const page: StoredFileList = await list(user.key, `?prefix=order/&limit=${limit}${from}`);
        expect(page.files.length).toBeLessThanOrEqual(limit);
        expect(page._count).toBe(page.files.length);
        seen.push(...page.files.map((file) => file.key));
        cursor = page.next_cursor;
      }
      expect([limit, seen]).toEqual([limit, prefixed]);
    }
    expect(await keysOf(user.key, "?prefix=order/a")).toEqual(["order/a", "order/a/b", "order/a0"]);
  });

  test("tell size, time and ETag", async () => {
    await putFile(user.key, "facts/a", "hello");
    const { files } = await list(user.key, "?prefix=facts/");
    expect(files).toEqual([
      { key: "facts/a", size: 5, modified: expect.stringMatching(/^20.*Z$/), etag: await md5("hello") },
    ]);
  });

  test.each(["limit=0", "limit=1001", "limit=x", "prefix=../", "prefix=/", "cursor=../x", "prefix=%00"])(
    "refuse %s",
    async (query) => {
      expect((await send("GET", `/files?${query}`, { key: user.key })).status).toBe(400);
    },
  );

  test("agents see the same, 1,000 at a time", async () => {
    const held = await holdJob(user.key);
    const { body } = await underLease<StoredFileList>(held, "list", { prefix: "order/" });
    expect(body).toEqual(await list(user.key, "?prefix=order/&limit=1000"));
  });
});

describe("published outputs", () => {
  let user: { id: string; key: string };
  beforeAll(async () => {
    user = await signUp("outputs");
  });

  test("are seen from the moment the job has completed, and all at once", async () => {
    const held = await holdJob(user.key);
    const outputs = { "run/a": "output a", "run/b": "output b" };
    const put = { kind: "put", area: "outputs", key: "run/a", size: 8 };
    await transfer(await grant(held, put), "output a");
    await underLease(held, "outputs", { files: [{ key: "run/a", size: 8 }] });
    expect(await keysOf(user.key, "?prefix=run/")).toEqual([]);
    await complete(held, outputs);
    expect(await keysOf(user.key, "?prefix=run/")).toEqual(["run/a", "run/b"]);
    expect(await readAs(user.key, "run/a")).toBe("output a");
    const next = await holdJob(user.key);
    expect(await textOf(await transfer(await grant(next, { kind: "get", key: "run/b" })))).toBe("output b");
  });

  test("of an attempt that failed, was released or lost its lease are never seen", async () => {
    for (const end of ["failed", "released"]) {
      const held = await holdJob(user.key);
      await transfer(await grant(held, { kind: "put", area: "outputs", key: "lost", size: 1 }), "x");
      await underLease(held, "outputs", { files: [{ key: "lost", size: 1 }] });
      await send("POST", `/jobs/${held.jobId}/${end}`, { key: user.key, body: held.proof });
      // The next attempt of the same job completes without it.
      const group = held.proof.container_group_id;
      await complete(await claimHeld(user.key, group, "m2"), { [`kept-${end}`]: end });
      expect(await readAs(user.key, "lost")).toBeNull();
      expect(await readAs(user.key, `kept-${end}`)).toBe(end);
    }
    expect(await keysOf(user.key, "?prefix=lost")).toEqual([]);
  });

  test("and files of one key: the newest is seen, in lists too", async () => {
    await putFile(user.key, "same", "1: a file");
    await complete(await holdJob(user.key), { same: "2: an output" });
    expect(await readAs(user.key, "same")).toBe("2: an output");
    await complete(await holdJob(user.key), { same: "3: another job's output" });
    expect(await readAs(user.key, "same")).toBe("3: another job's output");
    expect((await list(user.key, "?prefix=same")).files).toMatchObject([{ key: "same", size: 23 }]);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await putFile(user.key, "same", "4: a file");
    expect(await readAs(user.key, "same")).toBe("4: a file");
    expect((await list(user.key, "?prefix=same")).files).toMatchObject([{ key: "same", size: 9 }]);
  });

  test("are gone when deleted, the older ones too, by people and by agents", async () => {
    const asAgent = async (key: string) => {
      const held = await holdJob(user.key);
      return (await underLease(held, "delete", { keys: [key, "never-there"] })).status;
    };
    const asPerson = async (key: string) => (await fetchFile(user.key, "DELETE", key)).status;
    for (const remove of [asAgent, asPerson]) {
      await putFile(user.key, "gone", "a file");
      await complete(await holdJob(user.key), { gone: "an output" });
      await complete(await holdJob(user.key), { gone: "another" });
      expect(await remove("gone")).toBe(200);
      expect(await readAs(user.key, "gone")).toBeNull();
      expect(await keysOf(user.key, "?prefix=gone")).toEqual([]);
    }
    const left = await env.CHECKPOINTS.list({ prefix: `outputs/${user.id}/` });
    expect(left.objects.filter(({ key }) => key.endsWith("/gone"))).toEqual([]);
  });

  test("merge into pages in order, each key once", async () => {
    const names = Array.from({ length: 12 }, (_, i) => `merge/${String(i).padStart(2, "0")}`);
    for (const name of names.filter((_, i) => i % 3 !== 1)) await putFile(user.key, name, name);
    const outputs = names.filter((_, i) => i % 3 !== 0).map((name) => [name, name]);
    await complete(await holdJob(user.key), Object.fromEntries(outputs));
    // R2 may answer fewer than it was asked for: then nothing behind its last key is certain yet.
    const list2: R2Bucket["list"] = (options) => env.CHECKPOINTS.list({ ...options, limit: 2 });
    const short = { db: env.DB, bucket: { list: list2 } as R2Bucket };
    const pages: string[] = [];
    for (let after: string | null = ""; after !== null; ) {
      const page: FilePage = await listFiles(short, user.id, { prefix: "merge/", after, limit: 100 });
      pages.push(...page.files.map((file) => file.key));
      after = page.after;
    }
    expect(pages).toEqual(names);
    for (const limit of [1, 4, 5, 100]) {
      const seen: string[] = [];
      let cursor: string | null = "";
      while (cursor !== null) {
        const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
        const page: StoredFileList = await list(user.key, `?prefix=merge/&limit=${limit}${from}`);
        seen.push(...page.files.map((file) => file.key));
        cursor = page.next_cursor;
      }
      expect([limit, seen]).toEqual([limit, names]);
    }
  });
});

describe("what agents record", () => {
  test("is checked: missing, of another size, of other bytes", async () => {
    const user = await signUp("recording");
    const held = await holdJob(user.key);
    for (const key of ["right", "short", "other"]) {
      await transfer(await grant(held, { kind: "put", area: "outputs", key, size: 5 }), "hello");
    }
    const files = [
      { key: "right", size: 5, md5: await md5("hello") },
      { key: "short", size: 6 },
      { key: "other", size: 5, md5: await md5("hullo") },
      { key: "missing", size: 5 },
    ];
    const { body } = await underLease<{ wrong: unknown[] }>(held, "outputs", { files });
    expect(body.wrong).toEqual([
      { key: "short", problem: "size" },
      { key: "other", problem: "checksum" },
      { key: "missing", problem: "missing" },
    ]);
    await send("POST", `/jobs/${held.jobId}/completed`, { key: user.key, body: held.proof });
    expect(await keysOf(user.key)).toEqual(["right"]);
  });

  test("is fenced: an attempt that has ended records nothing, though its objects are there", async () => {
    const user = await signUp("fenced");
    const held = await holdJob(user.key);
    await transfer(await grant(held, { kind: "put", area: "outputs", key: "late", size: 1 }), "x");
    await send("POST", `/jobs/${held.jobId}/completed`, { key: user.key, body: held.proof });
    const late = await underLease(held, "outputs", { files: [{ key: "late", size: 1 }] });
    expect([late.status, late.body.reason]).toEqual([409, "completed"]);
    expect(await keysOf(user.key)).toEqual([]);
  });

  test("is fenced in D1 itself: a write on its way while the attempt ends, of another attempt or user, records nothing", async () => {
    const user = await signUp("fenced-in-d1");
    const held = await holdJob(user.key);
    const record = async (place: { userId: string; attempt: number }) => {
      const output = { key: "k", bytes: 1, etag: "e", uploaded: 1 };
      const { meta } = await prepare(env.DB, recordOutputs({ jobId: held.jobId, ...place }, [output])).run();
      return meta.changes > 0;
    };
    expect(await record({ userId: user.id, attempt: 2 })).toBe(false);
    expect(await record({ userId: crypto.randomUUID(), attempt: 1 })).toBe(false);
    expect(await record({ userId: user.id, attempt: 1 })).toBe(true);
    await send("POST", `/jobs/${held.jobId}/completed`, { key: user.key, body: held.proof });
    expect(await record({ userId: user.id, attempt: 1 })).toBe(false);
  });
});

describe("deleting under a prefix", () => {
  test("takes what is below, bite by bite, and nothing else", async () => {
    const { key } = await signUp("deleting");
    for (const name of ["x/1", "x/2", "x/y/3", "xy", "z"]) await putFile(key, name, name);
    await complete(await holdJob(key), { "x/out": "output" });
    const { body } = await send<FilesDeleted>("DELETE", "/files?prefix=x/", { key });
    expect(body).toEqual({ count: 4, next_cursor: null });
    expect(await keysOf(key)).toEqual(["xy", "z"]);
    expect((await send("DELETE", "/files", { key })).status).toBe(400);
    expect(await keysOf(key)).toEqual(["xy", "z"]);
    expect((await send<FilesDeleted>("DELETE", "/files?prefix=", { key })).body.count).toBe(2);
  });

  test("of more files than one bite says that there are more, and where to go on", async () => {
    const { key } = await signUp("bites");
    for (const name of ["n/1", "n/2", "n/3", "n/4", "n/5"]) await putFile(key, name, "");
    const counts: number[] = [];
    let cursor: string | null = "";
    while (cursor !== null) {
      const from: string = cursor === "" ? "" : `&cursor=${cursor}`;
      const answer = await send<FilesDeleted>("DELETE", `/files?prefix=n/&limit=2${from}`, { key });
      counts.push(answer.body.count);
      cursor = answer.body.next_cursor;
    }
    expect(counts).toEqual([2, 2, 1]);
    expect(await keysOf(key)).toEqual([]);
  });
});

test("the admin's files are his own", async () => {
  const { key } = await signUp("not-admin");
  await putFile(key, "private", "x");
  expect(await readAs(adminKey, "private")).toBeNull();
  await putFile(adminKey, "admins", "y");
  expect(await keysOf(adminKey)).toEqual(["admins"]);
  expect(await readAs(key, "admins")).toBeNull();
});
