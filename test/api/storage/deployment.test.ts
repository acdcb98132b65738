/** Deployments with and without managed storage, and how each is configured. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createApp } from "../../../src/app.ts";
import type { Grants } from "../../../src/contract/index.ts";
import { type Bindings, configOf } from "../../../src/env.ts";
import type { GroupApi } from "../../../src/group/protocol.ts";
import { signUp, submission } from "../http/client.ts";
import { type HeldJob, holdJob } from "./client.ts";

let key: string;
let held: HeldJob;
beforeAll(async () => {
  ({ key } = await signUp("deployed"));
  held = await holdJob(key);
});

async function sendTo(bindings: Bindings, method: string, path: string, body?: unknown) {
  const context = createExecutionContext();
  const request = new Request(`https://api.test${path}`, {
    method,
    headers: { "X-Kelpie-Key": key },
    body: body === undefined ? null : JSON.stringify(body),
  });
  const response = await createApp().fetch(request, bindings, context);
  await waitOnExecutionContext(context);
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

const s3 = {
  R2_S3_ENDPOINT: "https://account.r2.cloudflarestorage.com/",
  R2_BUCKET_NAME: "the-bucket",
  R2_ACCESS_KEY_ID: "the-access-key",
  R2_SECRET_ACCESS_KEY: "the-secret",
};
const none: Bindings = { ...env, KELPIE_SIGNING_KEY: "" };

describe("without signing key and S3 keys there is no managed storage", () => {
  const rule = { prefix: "out/", local_path: "/out", direction: "upload" };
  const managed = submission({ sync: { before: [], during: [{ ...rule, bucket: "b" }, rule] } });

  test("a rule without bucket is refused by name, in a batch by its place too", async () => {
    const one = await sendTo(none, "POST", "/jobs", managed);
    expect(one).toMatchObject({ status: 400, body: { field: "sync.during[1].bucket" } });
    const batch = await sendTo(none, "POST", "/jobs/batch", [submission(), managed]);
    expect(batch).toMatchObject({ status: 400, body: { field: "sync.during[1].bucket", index: 1 } });
    expect((await sendTo(none, "POST", "/jobs", submission())).status).toBe(202);
    expect((await sendTo(env, "POST", "/jobs", managed)).status).toBe(202);
  });

  test("the storage routes say so", async () => {
    const grants = { ...held.proof, requests: [{ kind: "get", key: "a" }] };
    for (const [method, path, body] of [
      ["POST", `/jobs/${held.jobId}/storage/grants`, grants],
      ["GET", "/files", undefined],
      ["GET", "/files/a", undefined],
      ["POST", "/files/urls", { method: "GET", key: "a" }],
    ] as const) {
      expect([path, (await sendTo(none, method, path, body)).status]).toEqual([path, 403]);
    }
  });
});

test("with S3 keys, URLs are the bucket's own, and carry no secret", async () => {
  const bindings = { ...env, ...s3 };
  const requests = [
    { kind: "get", key: "a b/c+d" },
    { kind: "put", area: "files", key: "x", size: 7_000_000_000, md5: "0".repeat(32), content_type: "a/b" },
  ];
  const path = `/jobs/${held.jobId}/storage/grants`;
  const { status, body } = await sendTo(bindings, "POST", path, { ...held.proof, requests });
  expect(status).toBe(200);
  const [get, put] = (body as Grants).grants;
  expect(get?.url).toMatch(
    /^https:\/\/account\.r2\.cloudflarestorage\.com\/the-bucket\/files\/[^/]+\/a%20b\/c%2Bd\?/,
  );
  expect(new URL(get?.url ?? "").searchParams.get("X-Amz-Expires")).toBe("65");
  const signed = new URL(put?.url ?? "").searchParams.get("X-Amz-SignedHeaders");
  expect(signed).toBe("content-length;content-md5;content-type;host");
  expect(JSON.stringify(body)).not.toContain(s3.R2_SECRET_ACCESS_KEY);
});

describe("configuration", () => {
  test("S3 keys go together; what is missing is told by name, what is there not by value", () => {
    for (const name of Object.keys(s3)) {
      const partial = { ...env, ...s3, [name]: "" };
      expect(() => configOf(partial)).toThrow(new RegExp(`${name}`));
      try {
        configOf(partial);
      } catch (error) {
        expect(String(error)).not.toContain("the-");
      }
    }
    expect(configOf({ ...env, ...s3 }).s3).toMatchObject({
      endpoint: "https://account.r2.cloudflarestorage.com",
    });
    expect(configOf(env).s3).toBeNull();
  });

  test.each([
    ["KELPIE_SIGNING_KEY", "fifteen-chars.."],
    ["R2_S3_ENDPOINT", "ftp-like nonsense"],
  ])("a malformed %s is told by name and not by value", (name, value) => {
    const config = () => configOf({ ...env, ...s3, [name]: value });
    expect(config).toThrow(new RegExp(name));
    expect(config).not.toThrow(new RegExp(value));
  });
});

test("while the group's object cannot be asked, agents are told to ask again, and nothing is granted", async () => {
  const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  const lost = () => Promise.reject(new Error("Network connection lost."));
  for (const renew of [async () => [{ status: "unavailable" as const }], lost] as GroupApi["renew"][]) {
    const groups = { getByName: () => ({ renew }) } as unknown as Env["GROUPS"];
    const body = { ...held.proof, requests: [{ kind: "get", key: "a" }] };
    const answer = await sendTo(
      { ...env, GROUPS: groups },
      "POST",
      `/jobs/${held.jobId}/storage/grants`,
      body,
    );
    expect([answer.status, answer.body.error]).toEqual([503, "unavailable"]);
  }
  warnings.mockRestore();
});

test("old workers are handed no job with managed storage", async () => {
  const group = "old-and-new";
  const own = await holdJob(key, group);
  await sendTo(env, "POST", `/jobs/${own.jobId}/released`, own.proof);
  const work = `/work?machine_id=old&container_group_id=${group}`;
  expect((await sendTo(env, "GET", work)).body).toEqual([]);
  expect((await sendTo(env, "GET", `${work}&claim_id=new`)).body).toMatchObject([{ id: own.jobId }]);
});
