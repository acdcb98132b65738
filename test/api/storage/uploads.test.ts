/** Objects in parts, by agents and by people: visible once complete, exactly as told, and a lost answer is no failure. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test, vi } from "vitest";
import type { Grant, Grants, Upload } from "../../../src/contract/index.ts";
import { fileKey } from "../../../src/storage/keys.ts";
import { send, signUp } from "../http/client.ts";
import { grant, type HeldJob, holdJob, readAs, transfer, underLease } from "./client.ts";

let user: { id: string; key: string };
let held: HeldJob;
beforeAll(async () => {
  user = await signUp("in-parts");
  held = await holdJob(user.key);
});

/** R2's smallest part that is not the last. */
const large = "x".repeat(5 * 1024 * 1024);
const last = "the end";
const size = large.length + last.length;

type Step = (what: string, fields: Record<string, unknown>) => Promise<{ status: number; body: unknown }>;
type PartUrl = (uploadId: string, number: number, content: string, md5?: string) => Promise<Grant>;

const byAgent = {
  step: ((what, fields) => underLease(held, what, { area: "files", ...fields })) as Step,
  partUrl: (key: string) =>
    ((upload_id, part_number, content, md5) =>
      grant(held, {
        kind: "part",
        area: "files",
        key,
        upload_id,
        part_number,
        size: content.length,
        md5,
      })) as PartUrl,
};
const byPerson = {
  step: ((what, body) => send("POST", `/files/${what}`, { key: user.key, body })) as Step,
  partUrl: (key: string) =>
    (async (upload_id, part_number, content, md5) => {
      const body = { key, upload_id, parts: [{ part_number, size: content.length, md5 }] };
      const answer = await send<Grants>("POST", "/files/uploads/part-urls", { key: user.key, body });
      expect(answer.status).toBe(200);
      return answer.body.grants[0] as Grant;
    }) as PartUrl,
};

describe.each([
  ["agent", byAgent],
  ["person", byPerson],
])("an %s", (who, { step, partUrl }) => {
  const begin = async (key: string) => {
    const { status, body } = await step("uploads", { key, content_type: "text/plain" });
    expect(status).toBe(200);
    return (body as Upload).upload_id;
  };
  const send = async (key: string, upload_id: string, contents: string[]) => {
    const parts = [];
    for (const [index, content] of contents.entries()) {
      const stored = await transfer(await partUrl(key)(upload_id, index + 1, content), content);
      expect(stored.status).toBe(200);
      parts.push({ part_number: index + 1, etag: stored.headers.get("etag")?.replaceAll('"', "") });
    }
    return parts;
  };

  test("sees the object once its parts are put together, also in any order", async () => {
    const key = `${who}/whole.bin`;
    const upload_id = await begin(key);
    const parts = await send(key, upload_id, [large, last]);
    expect(await readAs(user.key, key)).toBeNull();
    const whole = { key, upload_id, size, parts: parts.reverse() };
    expect((await step("uploads/complete", whole)).status).toBe(200);
    expect((await readAs(user.key, key))?.length).toBe(size);
    expect((await env.CHECKPOINTS.head(fileKey(user.id, key)))?.httpMetadata?.contentType).toBe("text/plain");
    // The answer was lost: the same again. Once it has been overwritten it cannot be told any more.
    expect((await step("uploads/complete", whole)).status).toBe(200);
    await env.CHECKPOINTS.put(fileKey(user.id, key), "newer");
    expect((await step("uploads/complete", whole)).status).toBe(404);
    // Two parts of 5 MiB on a busy machine.
  }, 30_000);

  test("that told another size gets a 409, and nothing is there", async () => {
    const key = `${who}/wrong.bin`;
    const upload_id = await begin(key);
    const parts = await send(key, upload_id, [last]);
    const answer = await step("uploads/complete", { key, upload_id, size: last.length + 1, parts });
    expect(answer).toMatchObject({ status: 409, body: { reason: "wrong_size" } });
    expect(await readAs(user.key, key)).toBeNull();
  });

  test("that names parts which are not there, or are too small, gets a 400, and may go on", async () => {
    const key = `${who}/parts.bin`;
    const upload_id = await begin(key);
    const [first, second] = await send(key, upload_id, [last, last]);
    const complete = (parts: unknown[]) => step("uploads/complete", { key, upload_id, size: 7, parts });
    for (const parts of [
      [{ part_number: 1, etag: "nope" }],
      [{ ...first, part_number: 3 }],
      [first, second],
    ]) {
      expect(await complete(parts)).toMatchObject({ status: 400, body: { field: "parts" } });
    }
    expect((await complete([first])).status).toBe(200);
    expect(await readAs(user.key, key)).toBe(last);
  });

  test("that aborts leaves nothing, may repeat it, and no part is taken any more", async () => {
    const key = `${who}/aborted.bin`;
    const upload_id = await begin(key);
    const url = await partUrl(key)(upload_id, 1, last);
    const parts = await send(key, upload_id, [last]);
    expect((await step("uploads/abort", { key, upload_id })).status).toBe(200);
    expect((await step("uploads/abort", { key, upload_id })).status).toBe(200);
    expect((await transfer(url, last)).status).toBe(404);
    expect((await step("uploads/complete", { key, upload_id, size: 7, parts })).status).toBe(404);
    expect(await readAs(user.key, key)).toBeNull();
  });

  test("that sends other bytes than a part's signed MD5, or another size, stores no part", async () => {
    const key = `${who}/checked.bin`;
    const upload_id = await begin(key);
    const md5 = "0cbc6611f5540bd0809a388dc95a615b"; // of "Test"
    const url = await partUrl(key)(upload_id, 1, "Test", md5);
    expect((await transfer(url, "Tesd")).status).toBe(400);
    expect((await transfer(url, "Tests")).status).toBe(400);
    const stored = await transfer(url, "Test");
    expect(stored.status).toBe(200);
    const parts = [{ part_number: 1, etag: stored.headers.get("etag")?.replaceAll('"', "") }];
    expect((await step("uploads/complete", { key, upload_id, size: 4, parts })).status).toBe(200);
  });

  test("finds no upload under another key, and no id that was made up", async () => {
    const upload_id = await begin(`${who}/mine.bin`);
    const parts = await send(`${who}/mine.bin`, upload_id, [last]);
    const other = { key: `${who}/other.bin`, upload_id, size: 7, parts };
    // What the local storage says to that reads like a fault of its own, which passes for one.
    const warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    expect([404, 503]).toContain((await step("uploads/complete", other)).status);
    warnings.mockRestore();
    expect(await readAs(user.key, `${who}/other.bin`)).toBeNull();
    for (const [what, more] of [
      ["complete", { size: 7, parts }],
      ["abort", {}],
    ] as const) {
      const made = { key: `${who}/mine.bin`, upload_id: "made-up", ...more };
      expect(await step(`uploads/${what}`, made)).toMatchObject({
        status: 400,
        body: { field: "upload_id" },
      });
    }
  });
});

test("an output in parts goes to the attempt's own place, and no further", async () => {
  const object = { area: "outputs", key: "big.bin" };
  const { body } = await underLease<Upload>(held, "uploads", object);
  const part = { kind: "part", ...object, upload_id: body.upload_id, part_number: 1, size: last.length };
  const stored = await transfer(await grant(held, part), last);
  const parts = [{ part_number: 1, etag: stored.headers.get("etag")?.replaceAll('"', "") }];
  const whole = { ...object, upload_id: body.upload_id, size: last.length, parts };
  expect((await underLease(held, "uploads/complete", whole)).status).toBe(200);
  expect(await readAs(user.key, "big.bin")).toBeNull();
  expect(await env.CHECKPOINTS.head(`outputs/${user.id}/${held.jobId}/1/big.bin`)).not.toBeNull();
});
