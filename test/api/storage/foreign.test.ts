/**
 * Another organization's storage is out of reach: every storage route, with its jobs, leases, upload ids and keys, and with keys
 * that try to leave the root. What stood there before stands there after.
 */
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import type { Grants, StoredFileList, Upload } from "../../../src/contract/index.ts";
import { send, signUp } from "../http/client.ts";
import { fetchFile, grant, type HeldJob, holdJob, putFile, readAs, transfer, underLease } from "./client.ts";

let owner: { id: string; key: string };
let thief: { id: string; key: string };
let held: HeldJob;
let stolen: HeldJob;
let uploadId: string;
const secret = "the owner's content";
const sha256 = "a".repeat(64);

beforeAll(async () => {
  owner = await signUp("storage-owner");
  thief = await signUp("storage-thief");
  held = await holdJob(owner.key);
  stolen = { ...held, userKey: thief.key };
  await putFile(owner.key, "secret", secret);
  const upload = { area: "files", key: "begun" };
  uploadId = (await underLease<Upload>(held, "uploads", upload)).body.upload_id;
});

const snapshot = async () => {
  const { objects } = await env.CHECKPOINTS.list();
  return objects.map(({ key, etag }) => [key, etag]);
};

/** Runs it, and expects that nothing in the bucket is other than before. */
async function untouched(work: () => Promise<void>): Promise<void> {
  const before = await snapshot();
  await work();
  expect(await snapshot()).toEqual(before);
}

/** Every route of agents with a request that its holder would be granted. */
const agentCalls: [string, Record<string, unknown>][] = [
  ...[
    { kind: "get", key: "secret" },
    { kind: "put", area: "files", key: "secret", size: 1 },
    { kind: "put", area: "outputs", key: "secret", size: 1 },
    { kind: "put_chunk", generation: 1, sha256, md5: "b".repeat(32), size: 1 },
    { kind: "put_manifest", generation: 1, sha256, md5: "b".repeat(32), size: 1 },
    { kind: "get_chunk", attempt: 1, generation: 1, sha256 },
    { kind: "get_manifest", attempt: 1, generation: 1, sha256 },
  ].map((request): [string, Record<string, unknown>] => ["grants", { requests: [request] }]),
  ["list", { prefix: "" }],
  ["delete", { keys: ["secret"] }],
  ["outputs", { files: [{ key: "secret", size: 1 }] }],
  ["uploads", { area: "files", key: "secret" }],
];

/** The agents' routes that there are; a new one fails here until it is among the calls above or below. */
test("no route of agents is forgotten here", () => {
  const routes = createApp().routes.filter(({ path }) => path.startsWith("/jobs/:id/storage/"));
  const known = [...agentCalls.map(([what]) => what), "uploads/complete", "uploads/abort"];
  expect(new Set(routes.map(({ path }) => path.replace("/jobs/:id/storage/", "")))).toEqual(new Set(known));
});

describe("an agent of another organization", () => {
  const inParts = () => {
    const upload = { area: "files", key: "begun", upload_id: uploadId };
    const whole = { ...upload, size: 1, parts: [{ part_number: 1, etag: "x" }] };
    return [["uploads/complete", whole] as const, ["uploads/abort", upload] as const];
  };

  test("with the job, the lease and its token is told that there is no such job", async () => {
    await untouched(async () => {
      for (const [what, fields] of [...agentCalls, ...inParts()]) {
        const { status, body } = await underLease(stolen, what, fields);
        expect([what, fields, status, body.error]).toEqual([what, fields, 404, "not_found"]);
      }
    });
  });

  test("with a lease of its own reaches its own root alone, whatever the key", async () => {
    const own = await holdJob(thief.key);
    const requests = agentCalls.flatMap(([, fields]) => (fields.requests ?? []) as unknown[]);
    const { body } = await underLease<Grants>(own, "grants", { requests });
    for (const { url } of body.grants) {
      const key = new URL(url).searchParams.get("key") ?? "";
      expect(key).toContain(thief.id);
      expect(key).not.toContain(owner.id);
      expect(key).not.toContain(held.jobId);
    }
    const get = await grant(own, { kind: "get", key: `../${owner.id}/secret`.replace("../", "x/") });
    expect((await transfer(get)).status).toBe(404);
    expect((await underLease<StoredFileList>(own, "list", { prefix: "" })).body.files).toEqual([]);
    await untouched(async () => {
      expect((await underLease(own, "delete", { keys: ["secret"] })).status).toBe(200);
    });
    expect(await readAs(owner.key, "secret")).toBe(secret);
  });

  test("cannot complete or abort what was begun for the owner's key, nor add a part to it", async () => {
    const own = await holdJob(thief.key);
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    const part = { kind: "part", area: "files", key: "begun", upload_id: uploadId, part_number: 1, size: 1 };
    expect((await transfer(await grant(own, part), "x")).status).toBe(404);
    for (const [what, fields] of inParts()) await underLease(own, what, fields);
    warnings.mockRestore();
    expect(await readAs(thief.key, "begun")).toBeNull();
    // The owner goes on as if nothing had been.
    const stored = await transfer(await grant(held, part), "x");
    expect(stored.status).toBe(200);
    const parts = [{ part_number: 1, etag: stored.headers.get("etag")?.replaceAll('"', "") }];
    const whole = { area: "files", key: "begun", upload_id: uploadId, size: 1, parts };
    expect((await underLease(held, "uploads/complete", whole)).status).toBe(200);
  });
});

describe("a person of another organization", () => {
  test("sees, changes and deletes nothing of the owner's", async () => {
    await untouched(async () => {
      expect((await fetchFile(thief.key, "GET", "secret")).status).toBe(404);
      expect((await fetchFile(thief.key, "HEAD", "secret")).status).toBe(404);
      expect((await fetchFile(thief.key, "DELETE", "secret")).status).toBe(200);
      expect((await send<StoredFileList>("GET", "/files", { key: thief.key })).body.files).toEqual([]);
      expect((await send("DELETE", "/files?prefix=", { key: thief.key })).status).toBe(200);
    });
    await putFile(thief.key, "secret", "the thief's");
    expect(await readAs(owner.key, "secret")).toBe(secret);
  });

  test("without a credential, gets nothing at all", async () => {
    for (const [method, path] of [
      ["GET", "/files"],
      ["DELETE", "/files?prefix="],
      ["GET", "/files/secret"],
      ["PUT", "/files/secret"],
      ["DELETE", "/files/secret"],
      ["POST", "/files/urls"],
      ["POST", "/files/uploads"],
      ["POST", "/files/uploads/part-urls"],
      ["POST", "/files/uploads/complete"],
      ["POST", "/files/uploads/abort"],
      ["POST", `/jobs/${held.jobId}/storage/grants`],
    ] as const) {
      expect([path, (await send(method, path)).status]).toEqual([path, 401]);
    }
    expect((await send("GET", "/storage/object?key=files")).status).toBe(400);
  });
});

/** As keys of the wire. */
const badKeys = [
  "",
  "/",
  "..",
  ".",
  "../x",
  "a/../../x",
  "a/./b",
  "a//b",
  "/a",
  "a/",
  "a\u0000b",
  "a\nb",
  "a\u007f",
  "\ud800",
  "x".repeat(901),
  "\u00fc".repeat(451),
];

describe("a key that leaves the root, or is none", () => {
  test.each(badKeys.map((key) => [JSON.stringify(key).slice(0, 40), key]))(
    "%s is a 400 everywhere, and writes nothing",
    async (_name, key) => {
      const calls: [string, Record<string, unknown>][] = [
        ["grants", { requests: [{ kind: "get", key }] }],
        ["grants", { requests: [{ kind: "put", area: "files", key, size: 1 }] }],
        ["grants", { requests: [{ kind: "put", area: "outputs", key, size: 1 }] }],
        ["delete", { keys: [key] }],
        ["outputs", { files: [{ key, size: 1 }] }],
        ["uploads", { area: "files", key }],
        ["uploads", { area: "outputs", key }],
      ];
      // The empty prefix is the root, and a prefix may end with a slash.
      if (key !== "" && key !== "a/") calls.push(["list", { prefix: key }]);
      await untouched(async () => {
        for (const [what, fields] of calls) {
          expect([what, (await underLease(held, what, fields)).status]).toEqual([what, 400]);
        }
        for (const [path, body] of [
          ["/files/urls", { method: "PUT", key, size: 1 }],
          ["/files/urls", { method: "GET", key }],
          ["/files/uploads", { key }],
        ] as const) {
          expect([path, (await send("POST", path, { key: owner.key, body })).status]).toEqual([path, 400]);
        }
      });
    },
  );

  test.each([
    "/files/",
    "/files//x",
    "/files/a//b",
    "/files/a/",
    "/files/%2e%2e%2fx",
    "/files/a%2f..%2f..%2fx",
    "/files/a%00b",
    "/files/a%0ab",
    "/files/%ff",
    "/files/%zz",
    `/files/${"x".repeat(901)}`,
  ])("%s in a URL is a 400 or a 404", async (path) => {
    await untouched(async () => {
      for (const method of ["GET", "PUT", "DELETE"]) {
        const headers = { "X-Kelpie-Key": owner.key, "Content-Length": "1" };
        const body = method === "PUT" ? "x" : null;
        const request = new Request(`https://api.test${path}`, { method, headers, body });
        expect([400, 404]).toContain((await exports.default.fetch(request)).status);
      }
    });
  });

  test("dots that the URL itself resolves name what is left, never another root", async () => {
    await putFile(owner.key, "b", "mine");
    const request = (path: string) =>
      exports.default.fetch(
        new Request(`https://api.test${path}`, { headers: { "X-Kelpie-Key": owner.key } }),
      );
    expect((await request("/files/a/%2e%2e/b")).status).toBe(200);
    expect((await request(`/files/%2e%2e/files/${thief.id}/secret`)).status).toBe(404);
  });
});
