/** What a lease is granted, and what its URLs let through: the API's own signed URLs, over R2's binding. */
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import type { Grants } from "../../../src/contract/index.ts";
import { fileKey } from "../../../src/storage/keys.ts";
import { signedUrl } from "../../../src/storage/sign-url.ts";
import { getJob, send, signUp } from "../http/client.ts";
import {
  bytes,
  grant,
  type HeldJob,
  holdJob,
  md5,
  readAs,
  sha256,
  textOf,
  transfer,
  underLease,
} from "./client.ts";

let user: { id: string; key: string };
let held: HeldJob;
beforeAll(async () => {
  user = await signUp("granted");
  held = await holdJob(user.key);
});

const putWish = (key: string, content: string, more = {}) => ({
  kind: "put",
  area: "files",
  key,
  size: bytes(content),
  ...more,
});

describe("what is granted", () => {
  test("a file is written and read back by URLs, with its headers", async () => {
    const content = "hello, Kelpie";
    const more = {
      md5: await md5(content),
      content_type: "text/plain; charset=utf-8",
      content_encoding: "identity",
    };
    const put = await grant(held, putWish("in/a.txt", content, more));
    expect(put).toMatchObject({ method: "PUT", headers: { "Content-MD5": expect.any(String) } });
    const stored = await transfer(put, content);
    expect([stored.status, stored.headers.get("etag")]).toEqual([200, `"${await md5(content)}"`]);
    const get = await grant(held, { kind: "get", key: "in/a.txt" });
    expect(get).toMatchObject({ method: "GET", headers: {} });
    const read = await transfer(get);
    expect(await textOf(read)).toBe(content);
    expect(read.headers.get("content-type")).toBe("text/plain; charset=utf-8");
    expect(await readAs(user.key, "in/a.txt")).toBe(content);
  });

  test("in the order of the request, until the lease lapses and 5 s more", async () => {
    const requests = ["a", "b", "c"].map((key) => ({ kind: "get", key }));
    const { body } = await underLease<Grants>(held, "grants", { requests });
    expect(body.grants.map(({ url }) => new URL(url).searchParams.get("key"))).toEqual(
      ["a", "b", "c"].map((key) => `files/${user.id}/${key}`),
    );
    // heartbeat_interval 30: a term of 60 s.
    expect(body.grants[0]?.expires_seconds).toBe(64);
    const left = Number(new URL(body.grants[0]?.url ?? "").searchParams.get("expires")) - Date.now();
    expect(left).toBeGreaterThan(60_000);
    expect(left).toBeLessThanOrEqual(65_000);
  });

  test("is as good as a renewal", async () => {
    const before = await getJob(user.key, held.jobId);
    await grant(held, { kind: "get", key: "a" });
    const after = await getJob(user.key, held.jobId);
    expect(Date.parse(after.heartbeat ?? "")).toBeGreaterThanOrEqual(Date.parse(before.heartbeat ?? ""));
  });

  test("a chunk and a manifest go to this attempt's own place, once", async () => {
    for (const kind of ["put_chunk", "put_manifest"]) {
      const content = `content of ${kind}`;
      const digests = { sha256: await sha256(content), md5: await md5(content) };
      const put = await grant(held, { kind, generation: 7, size: bytes(content), ...digests });
      const name = kind === "put_chunk" ? digests.sha256 : `manifest-${digests.sha256}`;
      const place = `snapshots/${user.id}/${held.jobId}/1/7/${name}`;
      expect(new URL(put.url).searchParams.get("key")).toBe(place);
      expect((await transfer(put, content)).status).toBe(200);
      expect((await transfer(put, content)).status).toBe(412);
      const get = { kind: kind.replace("put", "get"), attempt: 1, generation: 7, sha256: digests.sha256 };
      expect(await textOf(await transfer(await grant(held, get)))).toBe(content);
    }
  });

  test("an output is in no list and under no key before the job has completed", async () => {
    const put = await grant(held, { ...putWish("secret.txt", "x"), area: "outputs" });
    expect(new URL(put.url).searchParams.get("key")).toBe(`outputs/${user.id}/${held.jobId}/1/secret.txt`);
    expect((await transfer(put, "x")).status).toBe(200);
    expect(await readAs(user.key, "secret.txt")).toBeNull();
  });

  test("an empty object, and ranges of another", async () => {
    const none = await grant(held, putWish("empty", "", { md5: await md5("") }));
    expect((await transfer(none, "")).status).toBe(200);
    expect(await textOf(await transfer(await grant(held, { kind: "get", key: "empty" })))).toBe("");
    await transfer(await grant(held, putWish("digits", "0123456789")), "0123456789");
    const get = await grant(held, { kind: "get", key: "digits" });
    const ranged = async (range: string) => {
      const response = await transfer(get, undefined, { Range: range });
      return [response.status, await textOf(response), response.headers.get("content-range")];
    };
    expect(await ranged("bytes=2-4")).toEqual([206, "234", "bytes 2-4/10"]);
    expect(await ranged("bytes=7-")).toEqual([206, "789", "bytes 7-9/10"]);
    expect(await ranged("bytes=-3")).toEqual([206, "789", "bytes 7-9/10"]);
    expect(await ranged("bytes=8-99")).toEqual([206, "89", "bytes 8-9/10"]);
    expect(await ranged("bytes=0-1,4-5")).toEqual([200, "0123456789", null]);
    expect((await ranged("bytes=10-"))[0]).toBe(416);
  });
});

describe("what its URLs refuse, storing nothing", () => {
  const content = "the right content";
  const refused = async (key: string, use: (url: URL) => Promise<Response>, more = {}): Promise<number> => {
    const put = await grant(held, putWish(key, content, more));
    const { status } = await use(new URL(put.url));
    expect(await env.CHECKPOINTS.head(fileKey(user.id, key))).toBeNull();
    return status;
  };
  const put = (url: URL, sent = content, headers = {}) =>
    transfer({ method: "PUT", url: String(url), headers }, sent);

  test.each<[string, string]>([
    ["key", "files/USER/other"],
    ["expires", "9999999999999"],
    ["size", "18"],
    ["md5", "0".repeat(32)],
    ["type", "text/html"],
    ["encoding", "gzip"],
    ["absent", "1"],
    ["upload", "x"],
    ["part", "1"],
    ["signature", "0".repeat(64)],
  ])("a changed or added %s is a 403", async (name, value) => {
    const forged = async (url: URL) => {
      url.searchParams.set(name, value.replace("USER", user.id));
      return put(url, name === "size" ? `${content}!` : content);
    };
    expect(await refused(`forged-${name}`, forged)).toBe(403);
  });

  test("without md5, the one that was signed, it is a 403", async () => {
    const stripped = async (url: URL) => {
      url.searchParams.delete("md5");
      return put(url);
    };
    expect(await refused("stripped", stripped, { md5: await md5(content) })).toBe(403);
  });

  test("a URL to write reads nothing, and one to read writes nothing", async () => {
    expect(await refused("w", (url) => transfer({ method: "GET", url: String(url), headers: {} }))).toBe(403);
    const get = await grant(held, { kind: "get", key: "r" });
    expect((await put(new URL(get.url))).status).toBe(403);
  });

  test("other bytes than the signed MD5's are a 400", async () => {
    const wrong = (url: URL) => put(url, "the wrong content");
    expect(await refused("wrong", wrong, { md5: await md5(content) })).toBe(400);
  });

  test("more or fewer bytes are a 400, whatever Content-Length says; no length is a 411", async () => {
    expect(await refused("longer", (url) => put(url, `${content}!`))).toBe(400);
    expect(await refused("shorter", (url) => put(url, "the"))).toBe(400);
    const length = { "Content-Length": String(bytes(content)) };
    expect(await refused("lying", (url) => put(url, `${content}!`, length))).toBe(400);
    // A stream of our own making, whose length nobody knows.
    const unsaid = async (url: URL) => {
      const body = new ReadableStream({
        pull(controller) {
          controller.enqueue(new TextEncoder().encode(content));
          controller.close();
        },
      });
      return exports.default.fetch(new Request(url, { method: "PUT", body }));
    };
    expect(await refused("unsaid", unsaid)).toBe(411);
  });

  test("a URL whose time has passed is a 403; one with a second to go is not", async () => {
    const access = { method: "PUT" as const, key: fileKey(user.id, "late"), size: bytes(content) };
    const at = (ms: number) => signedUrl(env.KELPIE_SIGNING_KEY, "https://api.test", access, Date.now() + ms);
    expect((await put(new URL(await at(-1)))).status).toBe(403);
    expect(await env.CHECKPOINTS.head(access.key)).toBeNull();
    expect((await put(new URL(await at(1000)))).status).toBe(200);
  });

  test("a URL signed with another key is a 403", async () => {
    const access = { method: "PUT" as const, key: fileKey(user.id, "alien"), size: bytes(content) };
    const url = await signedUrl("another-signing-key", "https://api.test", access, Date.now() + 60_000);
    expect((await put(new URL(url))).status).toBe(403);
  });
});

describe("who gets nothing", () => {
  const requests = [{ kind: "get", key: "a" }];
  const refusal = async (of: HeldJob, proof: Record<string, unknown> = {}) => {
    const { status, body } = await underLease(of, "grants", { requests, ...proof });
    return [status, body.reason ?? body.error];
  };

  test("a wrong token, another attempt, a job that was given back, canceled or completed", async () => {
    const own = await holdJob(user.key);
    expect(await refusal(own)).toEqual([200, undefined]);
    expect(await refusal(own, { lease_token: "wrong" })).toEqual([409, "not_holder"]);
    expect(await refusal(own, { attempt: 2 })).toEqual([409, "superseded"]);
    await send("POST", `/jobs/${own.jobId}/released`, { key: user.key, body: own.proof });
    expect(await refusal(own)).toEqual([409, "superseded"]);
    await send("DELETE", `/jobs/${own.jobId}`, { key: user.key });
    expect(await refusal(own)).toEqual([409, "canceled"]);
    const done = await holdJob(user.key);
    await send("POST", `/jobs/${done.jobId}/completed`, { key: user.key, body: done.proof });
    expect(await refusal(done)).toEqual([409, "completed"]);
  });

  test("a job that does not exist, and a call without proof", async () => {
    expect(await refusal({ ...held, jobId: crypto.randomUUID() })).toEqual([404, "not_found"]);
    expect(await refusal(held, { lease_token: undefined })).toEqual([400, "invalid_request"]);
    expect(await refusal({ ...held, jobId: "nope" })).toEqual([404, "not_found"]);
  });

  test.each([
    ["size", putWish("big", "", { size: 100_000_001 })],
    ["key", { kind: "get", key: "../x" }],
    ["upload_id", { kind: "part", area: "files", key: "p", upload_id: "x", part_number: 1, size: 1 }],
    ["part_number", { kind: "part", area: "files", key: "p", upload_id: "x", part_number: 0, size: 1 }],
    ["sha256", { kind: "get_chunk", attempt: 1, generation: 1, sha256: "../../x" }],
  ])("a %s that cannot be is a 400 that names it", async (field, request) => {
    const { status, body } = await underLease(held, "grants", { requests: [requests[0], request] });
    expect([status, body.field]).toEqual([400, `requests[1].${field}`]);
  });

  test("more than 500 wishes, or none: counted, not looked at", async () => {
    for (const many of [[], Array.from({ length: 501 }, () => 1)]) {
      const { status, body } = await underLease(held, "grants", { requests: many });
      expect([status, body.field]).toEqual([400, "requests"]);
    }
  });
});
