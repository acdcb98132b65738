/** What JSON and queries can hold beyond what anybody means: a 400 that names the field, and nothing is written. */
import { beforeAll, describe, expect, test } from "vitest";
import { type JobList, limits } from "../../../src/contract/index.ts";
import { isNestedDeeper } from "../../../src/routes/nesting.ts";
import { send, signUp, submission, submit } from "./client.ts";

let key: string;
beforeAll(async () => {
  ({ key } = await signUp("bad input"));
});

/** A submission's JSON with one more field, as text: some of these no serialiser writes. */
const withField = (field: string) =>
  `${JSON.stringify(submission({ command: "bad" })).slice(0, -1)},${field}}`;

test.each([
  ["max_failures", '"max_failures":1e400'],
  ["max_failures", '"max_failures":-0'],
  ["max_failures", '"max_failures":1.5'],
  ["max_failures", '"max_failures":9007199254740993'],
  ["priority", '"priority":1e400'],
  ["priority", '"priority":"5"'],
  ["heartbeat_interval", '"heartbeat_interval":-1e400'],
  ["environment.__proto__", '"environment":{"__proto__":"x"}'],
  ['environment["A=B"]', '"environment":{"A=B":"x"}'],
  ['environment[""]', '"environment":{"":"x"}'],
  ["environment.A", '"environment":{"A":{"__proto__":null}}'],
  ["arguments.__proto__", '"arguments":{"__proto__":[]}'],
  ["arguments", '"arguments":{}'],
  ["webhook", '"webhook":"javascript:alert(1)"'],
  [
    "sync.during[0].pattern",
    '"sync":{"during":[{"bucket":"b","prefix":"p","local_path":"l","direction":"upload","pattern":"("}]}',
  ],
])("%s of %s", async (field, text) => {
  const { status, body } = await send("POST", "/jobs", { key, body: withField(text) });
  expect([status, body.field]).toEqual([400, field]);
});

test("nothing of the above was written", async () => {
  const { body } = await send<JobList>("GET", "/jobs?page_size=1000", { key });
  expect(body.jobs.filter((job) => job.command === "bad")).toEqual([]);
});

test("of a key given twice the last one counts, and a priority of -0 is 0", async () => {
  const twice = `${JSON.stringify(submission()).slice(0, -1)},"command":"second","priority":-0}`;
  const { status, body } = await send<{ command: string; priority: number }>("POST", "/jobs", {
    key,
    body: twice,
  });
  expect([status, body.command, Object.is(body.priority, 0)]).toEqual([202, "second", true]);
});

describe("nesting", () => {
  test.each([
    ["arrays", "[".repeat(400_000) + "]".repeat(400_000)],
    ["unclosed arrays", "[".repeat(500_000)],
    ["objects", `${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`],
    ["an unknown field", withField(`"unknown":${"[".repeat(33)}${"]".repeat(33)}`)],
  ])("deeper than any job needs: %s", async (_name, text) => {
    for (const path of ["/jobs", "/jobs/batch"]) {
      const { status, body } = await send("POST", path, { key, body: text });
      expect(status).toBe(400);
      expect(body.message).toContain(String(limits.nesting));
    }
  });

  test.each([
    ["[]", 1, false],
    ["[[]]", 1, true],
    ['["[[[[", {}]', 2, false],
    ['["\\"[[[[", "\\\\", {}]', 2, false],
    ['["\\\\", [[]]]', 2, true],
    [JSON.stringify(Array.from({ length: 1000 }, () => ({}))), 2, false],
  ])("of %s is looked at outside of texts (%i)", (text, depth, expected) => {
    expect(isNestedDeeper(text, depth)).toBe(expected);
  });

  test("of an ordinary job is none of it", async () => {
    await submit(key, { arguments: ["[[[[".repeat(100)], environment: { A: "{".repeat(100) } });
  });
});

test.each([
  "page_size=",
  "page_size=1e2",
  "page_size=0x10",
  "page_size=%2010",
  "page=1e3",
  "page=1000001",
  "page=-0",
])("a number in a query is digits: %s", async (query) => {
  const { status, body } = await send("GET", `/jobs?${query}`, { key });
  expect([status, body.field]).toEqual([400, query.split("=")[0]]);
});

test.each([
  "created_after=yesterday",
  "created_before=2026-01-01",
  "created_after=2026-13-01T00:00:00Z",
  "machine_id=",
])("%s", async (query) => {
  const { status, body } = await send("GET", `/jobs?${query}`, { key });
  expect([status, body.field]).toEqual([400, query.split("=")[0]]);
});

test.each([
  ["content-type", "x".repeat(200)],
  ["content-encoding", "gz\u00ef"],
])("a file's %s that could not be said again", async (name, value) => {
  const { status, body } = await send("PUT", "/files/kept", { key, body: "x", headers: { [name]: value } });
  expect([status, body.field?.toLowerCase()]).toEqual([400, name]);
  expect((await send("GET", "/files/kept", { key })).status).toBe(404);
});

test("an upload's id with another key than it was begun for is no such upload, not a 503 for ever", async () => {
  const begun = await send<{ upload_id: string }>("POST", "/files/uploads", { key, body: { key: "begun" } });
  const body = { key: "other", upload_id: begun.body.upload_id };
  const whole = { ...body, size: 1, parts: [{ part_number: 1, etag: "x" }] };
  expect((await send("POST", "/files/uploads/complete", { key, body: whole })).status).toBe(404);
  expect((await send("POST", "/files/uploads/abort", { key, body })).status).toBe(200);
  const right = { ...whole, key: "begun" };
  expect((await send("POST", "/files/uploads/complete", { key, body: right })).body.field).toBe("parts");
});

test("an upload's id with one character changed is the id of no upload, not a 503 for ever", async () => {
  const begun = await send<{ upload_id: string }>("POST", "/files/uploads", {
    key,
    body: { key: "garbled" },
  });
  const { upload_id } = begun.body;
  const parts = [{ part_number: 1, etag: "e" }];
  const answers = [];
  // In our mark, in the hash, in the storage's own id.
  for (const index of [3, 40, upload_id.length - 2]) {
    const other = upload_id[index] === "a" ? "b" : "a";
    const garbled = `${upload_id.slice(0, index)}${other}${upload_id.slice(index + 1)}`;
    const body = { key: "garbled", upload_id: garbled, size: 1, parts };
    const { status } = await send("POST", "/files/uploads/complete", { key, body });
    answers.push([status, (await send("POST", "/files/uploads/abort", { key, body })).status]);
  }
  expect(answers).toEqual(Array(3).fill([404, 200]));
  // The upload itself is as it was.
  const body = { key: "garbled", upload_id, size: 1, parts };
  const { status, body: error } = await send("POST", "/files/uploads/complete", { key, body });
  expect([status, (error as { field?: string }).field]).toEqual([400, "parts"]);
});

test("a part that a completion names twice is a 400, not a 503 for ever", async () => {
  const begun = await send<{ upload_id: string }>("POST", "/files/uploads", { key, body: { key: "twice" } });
  const part = { part_number: 9, etag: "x" };
  const body = { key: "twice", upload_id: begun.body.upload_id, size: 1, parts: [part, part] };
  const { status, body: error } = await send("POST", "/files/uploads/complete", { key, body });
  expect([status, error.field, error.message]).toEqual([400, "parts", "parts: names a part twice"]);
});
