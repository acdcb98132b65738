/** Logs that outlive their node: kept under the lease, read by people, gone with the job. */
import { createExecutionContext, waitOnExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { beforeAll, beforeEach, describe, expect, test } from "vitest";
import { createApp } from "../../../src/app.ts";
import { type ErrorBody, limits } from "../../../src/contract/index.ts";
import { storageSweep } from "../../../src/cron/storage/sweep.ts";
import { logKey, logsOfJob } from "../../../src/storage/keys.ts";
import { workerPorts } from "../../../src/storage/worker-ports.ts";
import { adminKey, claim, newGroup, send, signUp, submit } from "../http/client.ts";

let user: { id: string; key: string };
beforeAll(async () => {
  user = await signUp("logs");
});

interface Held {
  jobId: string;
  group: string;
  attempt: number;
  token: string;
}

async function claimOf(group: string, machine = "m1"): Promise<Held> {
  const [job] = await claim(user.key, group, machine, `&claim_id=${crypto.randomUUID()}`);
  if (!job?.lease_token) throw new Error("nothing was claimed");
  return { jobId: job.id, group, attempt: job.attempt, token: job.lease_token };
}

/** A job without managed storage: logs need none. */
async function hold(group = newGroup()): Promise<Held> {
  await submit(user.key, { container_group_id: group });
  return claimOf(group);
}

function writeRequest(
  held: Held,
  stream: string,
  offset: number | string,
  content: string,
  changes: { headers?: Record<string, string>; query?: Record<string, string> } = {},
): Request {
  const body = new TextEncoder().encode(content);
  const query = new URLSearchParams({
    machine_id: "m1",
    container_group_id: held.group,
    attempt: String(held.attempt),
    offset: String(offset),
    ...changes.query,
  });
  return new Request(`https://api.test/jobs/${held.jobId}/logs/${stream}?${query}`, {
    method: "PUT",
    headers: {
      "X-Kelpie-Key": user.key,
      "X-Kelpie-Lease": held.token,
      "Content-Length": String(body.length),
      ...changes.headers,
    },
    body,
  });
}

async function write(...args: Parameters<typeof writeRequest>): Promise<{ status: number; body: ErrorBody }> {
  const response = await exports.default.fetch(writeRequest(...args));
  return { status: response.status, body: (await response.json()) as ErrorBody };
}

async function read(held: { jobId: string }, query = "", key = user.key) {
  const response = await exports.default.fetch(
    new Request(`https://api.test/jobs/${held.jobId}/logs${query}`, { headers: { "X-Kelpie-Key": key } }),
  );
  const { headers } = response;
  return {
    status: response.status,
    text: new TextDecoder().decode(await response.arrayBuffer()),
    type: headers.get("content-type"),
    attempt: headers.get("x-kelpie-log-attempt"),
    stream: headers.get("x-kelpie-log-stream"),
    offset: Number(headers.get("x-kelpie-log-offset")),
    next: Number(headers.get("x-kelpie-log-next")),
  };
}

/** Parts as they lie in the bucket, without the API between. */
async function put(held: Held, contents: string[], stream: "stdout" | "stderr" = "stdout", from = 0) {
  let end = from;
  for (const content of contents) {
    end += content.length;
    await env.CHECKPOINTS.put(logKey({ userId: user.id, ...held }, stream, end), content);
  }
}

describe("writing", () => {
  let held: Held;
  beforeEach(async () => {
    held = await hold();
  });

  test("the parts of both streams are read back as they were written, each apart", async () => {
    expect((await write(held, "stdout", 0, "one\ntw")).status).toBe(200);
    expect((await write(held, "stdout", 6, "o\n")).status).toBe(200);
    expect((await write(held, "stderr", 0, "ümlaut\n")).status).toBe(200);
    expect(await read(held)).toMatchObject({
      ...{ status: 200, text: "one\ntwo\n", attempt: "1", stream: "stdout", offset: 0, next: 8 },
      type: "text/plain; charset=utf-8",
    });
    expect(await read(held, "?stream=stderr")).toMatchObject({ text: "ümlaut\n", stream: "stderr", next: 8 });
  });

  test("a repeat is a success without effects, whatever it brings", async () => {
    for (const content of ["first", "first", "other"]) {
      expect((await write(held, "stdout", 0, content)).status).toBe(200);
    }
    expect((await read(held)).text).toBe("first");
  });

  test("a superseded attempt is told so and leaves nothing; what it wrote before stays its own", async () => {
    await write(held, "stdout", 0, "of the first\n");
    const body = { machine_id: "m1", container_group_id: held.group, attempt: 1, lease_token: held.token };
    expect((await send("POST", `/jobs/${held.jobId}/released`, { key: user.key, body })).status).toBe(200);
    const next = await claimOf(held.group);
    expect(await write(held, "stdout", 13, "late\n")).toMatchObject({ status: 409 });
    expect((await write(next, "stdout", 0, "of the second\n")).status).toBe(200);
    expect(await read(held)).toMatchObject({ text: "of the second\n", attempt: "2" });
    expect(await read(held, "?attempt=1")).toMatchObject({ text: "of the first\n", attempt: "1" });
  });

  test.each<[string, number, string | undefined, (held: Held) => Parameters<typeof write>]>([
    ["another token", 409, undefined, (h) => [h, "stdout", 0, "x", { headers: { "X-Kelpie-Lease": "no" } }]],
    ["no offset", 400, "offset", (h) => [h, "stdout", "", "x"]],
    ["a negative offset", 400, "offset", (h) => [h, "stdout", -1, "x"]],
    ["bytes beyond the bound", 400, "offset", (h) => [h, "stdout", limits.logBytes, "x"]],
    ["no attempt", 400, "attempt", (h) => [h, "stdout", 0, "x", { query: { attempt: "" } }]],
    [
      "an empty token",
      400,
      "X-Kelpie-Lease",
      (h) => [h, "stdout", 0, "x", { headers: { "X-Kelpie-Lease": "" } }],
    ],
    ["nothing", 400, undefined, (h) => [h, "stdout", 0, ""]],
    ["too much at once", 413, undefined, (h) => [h, "stdout", 0, "x".repeat(limits.logChunkBytes + 1)]],
    ["no such stream", 404, undefined, (h) => [h, "stdlog", 0, "x"]],
  ])("%s is refused, and nothing is kept", async (_name, status, field, args) => {
    const answer = await write(...args(held));
    expect([answer.status, answer.body.field]).toEqual([status, field]);
    expect((await env.CHECKPOINTS.list({ prefix: logsOfJob(user.id, held.jobId) })).objects).toEqual([]);
  });

  test("the largest part, and the last one that fits, are taken", async () => {
    expect((await write(held, "stdout", 0, "x".repeat(limits.logChunkBytes))).status).toBe(200);
    expect((await write(held, "stderr", limits.logBytes - 1, "x")).status).toBe(200);
  });
});

describe("reading", () => {
  test("a job that was never handed out has no attempt, one that said nothing an empty log", async () => {
    const group = newGroup();
    const { id } = await submit(user.key, { container_group_id: group });
    expect((await read({ jobId: id })).status).toBe(404);
    const held = await claimOf(group);
    expect(await read(held)).toMatchObject({ status: 200, text: "", offset: 0, next: 0 });
    expect(await read(held, "?after=0")).toMatchObject({ status: 200, text: "", offset: 0, next: 0 });
    expect((await read(held, "?attempt=2")).status).toBe(404);
  });

  test("of another user's job nobody else reads, but the admin", async () => {
    const held = await hold();
    await write(held, "stdout", 0, "secret\n");
    const other = await signUp("logs-other");
    expect((await read(held, "", other.key)).status).toBe(404);
    expect((await read(held, "", adminKey)).text).toBe("secret\n");
  });

  test("tail counts lines from the end, over the borders of parts", async () => {
    const held = await hold();
    await put(held, ["a\nb\nc", "c\nd", "\ne\n", "f"]);
    const tail = async (lines: number) => {
      const { text, offset, next } = await read(held, `?tail=${lines}`);
      return [text, offset, next];
    };
    expect(await tail(1)).toEqual(["f", 11, 12]);
    expect(await tail(2)).toEqual(["e\nf", 9, 12]);
    expect(await tail(4)).toEqual(["cc\nd\ne\nf", 4, 12]);
    expect(await tail(6)).toEqual(["a\nb\ncc\nd\ne\nf", 0, 12]);
    expect(await tail(100)).toEqual(["a\nb\ncc\nd\ne\nf", 0, 12]);
    await put(held, ["\n"], "stdout", 12);
    expect(await tail(1)).toEqual(["f\n", 11, 13]);
    expect((await read(held, "?stream=stderr&tail=1")).text).toBe("");
  });

  test("without tail and after: the last 1,000 lines", async () => {
    const held = await hold();
    const lines = Array.from({ length: 1_500 }, (_, line) => `${line}\n`);
    await put(held, [lines.slice(0, 700).join(""), lines.slice(700).join("")]);
    expect((await read(held)).text).toBe(lines.slice(500).join(""));
  });

  test("after goes on from any byte, and following by it loses and repeats nothing", async () => {
    const held = await hold();
    await put(held, ["abc", "defg", "h"]);
    for (let from = 0; from <= 8; from++) {
      const { text, offset, next } = await read(held, `?after=${from}`);
      expect([from, text, offset, next]).toEqual([from, "abcdefgh".slice(from), from, 8]);
    }
    await put(held, ["ij"], "stdout", 8);
    expect(await read(held, "?after=8")).toMatchObject({ text: "ij", offset: 8, next: 10 });
    expect(await read(held, "?after=10")).toMatchObject({ text: "", offset: 10, next: 10 });
    expect(await read(held, "?after=4000")).toMatchObject({ text: "", offset: 4000, next: 4000 });
  });

  test.each([
    ["?tail=0", "tail"],
    ["?tail=10001", "tail"],
    ["?tail=1&after=1", "after"],
    ["?after=-1", "after"],
    ["?after=x", "after"],
    ["?stream=both", "stream"],
    ["?attempt=0", "attempt"],
  ])("%s is a 400 that names the field", async (query, field) => {
    const held = await hold();
    const { status, body } = await send("GET", `/jobs/${held.jobId}/logs${query}`, { key: user.key });
    expect([status, body.field]).toEqual([400, field]);
  });
});

test("a deployment without a bucket says so, to both", async () => {
  const held = await hold();
  const bindings = { ...env, CHECKPOINTS: undefined as unknown as R2Bucket };
  const get = new Request(`https://api.test/jobs/${held.jobId}/logs`, {
    headers: { "X-Kelpie-Key": user.key },
  });
  for (const request of [get, writeRequest(held, "stdout", 0, "x")]) {
    const context = createExecutionContext();
    const response = await createApp().fetch(request, bindings, context);
    await waitOnExecutionContext(context);
    expect(response.status).toBe(404);
    expect(await response.json()).toMatchObject({ message: "this deployment keeps no logs" });
  }
});

test("without any key to sign URLs with, logs are kept all the same", async () => {
  const held = await hold();
  const context = createExecutionContext();
  const bindings = { ...env, KELPIE_SIGNING_KEY: "" };
  const response = await createApp().fetch(writeRequest(held, "stdout", 0, "kept\n"), bindings, context);
  await waitOnExecutionContext(context);
  expect(response.status).toBe(200);
  expect((await read(held)).text).toBe("kept\n");
});

describe("removal", () => {
  const keysOf = async ({ jobId }: Held) =>
    (await env.CHECKPOINTS.list({ prefix: logsOfJob(user.id, jobId) })).objects.map(({ key }) => key);
  const sweepAt = (nowMs: number) => storageSweep({ ...workerPorts(env), nowMs: () => nowMs });

  test("the logs of a failed attempt are still there after the sweep; those of a purged job go", async () => {
    const held = await hold();
    await write(held, "stdout", 0, "why it failed\n");
    const body = { machine_id: "m1", container_group_id: held.group, attempt: 1, lease_token: held.token };
    expect((await send("POST", `/jobs/${held.jobId}/failed`, { key: user.key, body })).status).toBe(202);
    await sweepAt(Date.now() + 3_600_000);
    expect((await read(held)).text).toBe("why it failed\n");
    await send("DELETE", `/jobs/container-groups/${held.group}`, { key: user.key });
    expect((await read(held)).status).toBe(404);
    expect(await keysOf(held)).toHaveLength(1);
    await sweepAt(Date.now() + 3_600_000);
    expect(await keysOf(held)).toEqual([]);
  });
});
