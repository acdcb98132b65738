import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { type Job, limits } from "../../../src/contract/index.ts";
import { getJob, send, signUp, submission, submit } from "./client.ts";

let key: string;
beforeAll(async () => {
  ({ key } = await signUp("submitter"));
});

describe("text", () => {
  test.each([
    ["environment.A", { environment: { A: "x\ud800y" } }],
    ["container_group_id", { container_group_id: "x\ud800y" }],
    ["command", { command: "\ud800" }],
    ["container_group_id", { container_group_id: "x\0y" }],
  ])(
    "in %s that has no UTF-8 or holds a NUL is a 400: it would come back as something else",
    async (field, fields) => {
      const { status, body: error } = await send("POST", "/jobs", { key, body: submission(fields) });
      expect([status, error.field]).toEqual([400, field]);
    },
  );

  test("that only looks like it is taken, and comes back the same", async () => {
    const job = await submit(key, { arguments: ["\\ud800", "\\\\ud800", "\u{1f415}"] });
    expect(await getJob(key, job.id)).toEqual(job);
  });
});

describe("sizes", () => {
  test("a 3 MB environment is a 413, not a 500 (fault 16)", async () => {
    const { status, body } = await send("POST", "/jobs", {
      key,
      body: submission({ environment: { A: "x".repeat(3_000_000) } }),
    });
    expect(status).toBe(413);
    expect(body.error).toBe("payload_too_large");
  });

  test("a job larger than a job may be is a 413", async () => {
    const environment = Object.fromEntries(
      Array.from({ length: 3 }, (_, i) => [`A${i}`, "x".repeat(95_000)]),
    );
    const { status, body } = await send("POST", "/jobs", { key, body: submission({ environment }) });
    expect(status).toBe(413);
    expect(body.message).toContain(String(limits.jobBytes));
  });

  test("a body of unannounced length is cut off at the bound", async () => {
    const kilobytes = new Uint8Array(64 * 1024).fill(32);
    const endless = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(kilobytes) });
    const request = new Request("https://api.test/jobs", {
      method: "POST",
      headers: { "X-Kelpie-Key": key },
      body: endless,
    });
    expect(request.headers.has("content-length")).toBe(false);
    const response = await exports.default.fetch(request);
    expect(response.status).toBe(413);
  });

  test("a job just under the bound is taken and read back", async () => {
    const environment = { A: "x".repeat(90_000), B: "ü".repeat(80_000) };
    const job = await submit(key, { environment });
    expect((await send<Job>("GET", `/jobs/${job.id}`, { key })).body.environment).toEqual(environment);
  });
});
