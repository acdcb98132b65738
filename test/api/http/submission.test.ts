import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { getJob, send, signUp, submission, submit } from "./client.ts";

let key: string;
let userId: string;
beforeAll(async () => {
  ({ key, id: userId } = await signUp("submitter"));
});

const legacy = {
  input_bucket: "b",
  input_prefix: "in",
  checkpoint_bucket: "b",
  checkpoint_prefix: "cp/",
  output_bucket: "b",
  output_prefix: "",
};

describe("an accepted job", () => {
  test("is answered whole, with its defaults, and read back the same", async () => {
    const job = await submit(key);
    expect(job).toEqual({
      id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      user_id: userId,
      status: "pending",
      command: "python",
      arguments: [],
      environment: {},
      container_group_id: "group",
      max_failures: 3,
      heartbeat_interval: 30,
      webhook: null,
      webhook_events: null,
      compression: false,
      priority: 0,
      retry_delay_seconds: 0,
      stop_signal: "SIGTERM",
      stop_grace_seconds: 30,
      timeout_seconds: null,
      stall_timeout_seconds: null,
      progress: null,
      available: null,
      failed_reason: null,
      sync: {},
      created: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      started: null,
      completed: null,
      canceled: null,
      failed: null,
      heartbeat: null,
      num_failures: 0,
      num_heartbeats: 0,
      num_interruptions: 0,
      machine_id: null,
      attempt: 0,
    });
    expect(await getJob(key, job.id)).toEqual(job);
  });

  test("keeps every field it came with", async () => {
    const fields = {
      arguments: ["a b", "", 'ä"\\\n', "日本"],
      environment: { A: "1", "B.C": "=", EMPTY: "" },
      max_failures: 1,
      heartbeat_interval: 5,
      webhook: "https://hooks.test/x?y=1",
      compression: true,
      priority: -100,
      sync: {
        before: [{ bucket: "b", prefix: "p", local_path: "/in", direction: "download", pattern: "\\.bin$" }],
        during: [{ bucket: "b", prefix: "q/", local_path: "/cp", direction: "upload" }],
      },
    };
    const job = await submit(key, { ...fields, unknown: "ignored" });
    expect(job).toMatchObject({
      ...fields,
      sync: { ...fields.sync, before: [{ ...fields.sync.before[0], prefix: "p/" }] },
    });
    expect(job).not.toHaveProperty("unknown");
    expect(await getJob(key, job.id)).toEqual(job);
  });

  test("with the six legacy fields has no sync, and a prefix gets its slash", async () => {
    const job = await submit(key, { sync: undefined, ...legacy });
    expect(job).toMatchObject({ ...legacy, input_prefix: "in/" });
    expect(job).not.toHaveProperty("sync");
    expect(await getJob(key, job.id)).toEqual(job);
  });

  test("with sync has no legacy field", async () => {
    expect(Object.keys(await submit(key))).not.toContain("input_bucket");
  });

  test.each(["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "nonsense", ""])(
    "is JSON although its Content-Type says %j",
    async (type) => {
      const headers = { "Content-Type": type };
      expect((await send("POST", "/jobs", { key, body: submission(), headers })).status).toBe(202);
    },
  );

  test("may come without any Content-Type", async () => {
    const bytes = new TextEncoder().encode(JSON.stringify(submission()));
    const request = new Request("https://api.test/jobs", {
      method: "POST",
      headers: { "X-Kelpie-Key": key },
      body: bytes,
    });
    expect(request.headers.get("content-type")).toBeNull();
    expect((await exports.default.fetch(request)).status).toBe(202);
  });
});

describe("a bad job is a 400 that names the field", () => {
  const upload = { bucket: "b", prefix: "p", local_path: "/x", direction: "upload" };
  test.each<[string, string | undefined, unknown]>([
    ["no command", "command", { container_group_id: "g", sync: {} }],
    ["no group", "container_group_id", { command: "x", sync: {} }],
    ["neither sync nor legacy", "sync", { command: "x", container_group_id: "g" }],
    [
      "five legacy fields",
      "output_prefix",
      submission({ sync: undefined, ...legacy, output_prefix: undefined }),
    ],
    ["both", "input_bucket", submission(legacy)],
    ["upload before", "sync.before[0].direction", submission({ sync: { before: [upload] } })],
    [
      "a rule without bucket that leaves the root",
      "sync.after[1].prefix",
      submission({ sync: { after: [upload, { ...upload, bucket: undefined, prefix: "../x" }] } }),
    ],
    [
      "a pattern that does not compile",
      "sync.after[0].pattern",
      submission({ sync: { after: [{ ...upload, pattern: "(" }] } }),
    ],
    ["max_failures 0", "max_failures", submission({ max_failures: 0 })],
    ["heartbeat_interval 1.5", "heartbeat_interval", submission({ heartbeat_interval: 1.5 })],
    ["a webhook that is no URL (fault 13)", "webhook", submission({ webhook: "not a url" })],
    ["arguments that are no strings", "arguments[1]", submission({ arguments: ["a", 2] })],
    ["an environment name with =", 'environment["A=B"]', submission({ environment: { "A=B": "x" } })],
    ["priority 101", "priority", submission({ priority: 101 })],
    ["an array", undefined, [submission()]],
    ["null", undefined, null],
  ])("%s", async (_name, field, body) => {
    const answer = await send("POST", "/jobs", { key, body: JSON.stringify(body) });
    expect(answer.status).toBe(400);
    expect(answer.body.error).toBe("invalid_request");
    expect(answer.body.field).toBe(field);
    expect(answer.body.message.length).toBeGreaterThan(5);
  });

  test.each([
    ["", "is not JSON"],
    ["{", "is not JSON"],
    ["nope", "is not JSON"],
    ["[".repeat(200_000), "has more than 32 objects and arrays inside each other"],
  ])("malformed JSON", async (body, problem) => {
    const { status, body: error } = await send("POST", "/jobs", { key, body });
    expect(status).toBe(400);
    expect(error.message).toBe(`the body ${problem}`);
  });
});
