import { beforeAll, describe, expect, test } from "vitest";
import { adminKey, send, signUp, submission } from "./client.ts";

let key: string;
beforeAll(async () => {
  ({ key } = await signUp("misspeller"));
});

const refusal = async (method: string, path: string, body?: unknown, asKey = key) => {
  const answer = await send(method, path, {
    key: asKey,
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  expect(answer.status).toBe(400);
  return answer.body;
};

describe("a refusal speaks of fields, not of JavaScript", () => {
  const rule = { bucket: "b", prefix: "p", local_path: "/x" };
  test.each<[string, unknown]>([
    ["command: is missing", { container_group_id: "g", sync: {} }],
    ["command: must be a string", submission({ command: null })],
    ["arguments: must be an array", submission({ arguments: "-c" })],
    ["arguments[1]: must be a string", submission({ arguments: ["a", 2] })],
    ["environment: must be an object", submission({ environment: "A=1" })],
    ["environment.A: must be a string", submission({ environment: { A: 1 } })],
    ["max_failures: must be a number", submission({ max_failures: "3" })],
    ["max_failures: must be a whole number", submission({ max_failures: 1.5 })],
    ["compression: must be true or false", submission({ compression: "yes" })],
    ["sync: must be an object", submission({ sync: [] })],
    ["sync.after[0].direction: is missing", submission({ sync: { after: [rule] } })],
    ["sync.before[0].prefix: is missing", submission({ sync: { before: [{ ...rule, prefix: undefined }] } })],
    ["webhook: is not an http(s) URL", submission({ webhook: "not a url" })],
    ["must be an object", null],
  ])("%s", async (message, body) => {
    expect(await refusal("POST", "/jobs", body)).toMatchObject({ error: "invalid_request", message });
  });

  test.each([
    ["page=two", "page: must be a whole number"],
    ["page=1.5", "page: must be a whole number"],
    ["page=0", "page: Too small: expected number to be >=1"],
    ["page_size=", "page_size: must be a whole number"],
  ])("GET /jobs?%s", async (query, message) => {
    expect((await refusal("GET", `/jobs?${query}`)).message).toBe(message);
  });

  test("in a batch with the job's place, in other routes alike", async () => {
    const batch = [submission(), submission({ command: undefined })];
    expect(await refusal("POST", "/jobs/batch", batch)).toMatchObject({
      ...{ message: "job 1, command: is missing", field: "command", index: 1 },
    });
    expect((await refusal("POST", "/users", {}, adminKey)).message).toBe("username: is missing");
  });
});

describe("of several faults the first in the schema's order is told", () => {
  test.each<[string, unknown]>([
    ["command", {}],
    ["command", { priority: 1000, container_group_id: 7 }],
    ["container_group_id", { priority: 1000, command: "x" }],
    ["arguments[0]", { sync: 7, environment: { A: 1 }, arguments: [1], command: "x" }],
  ])("%s", async (field, body) => {
    expect((await refusal("POST", "/jobs", body)).field).toBe(field);
  });
});
