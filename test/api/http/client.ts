/** Speaks to the API as clients do: over `fetch`, through the whole stack. */
import { env, exports } from "cloudflare:workers";
import { expect } from "vitest";
import type { ClaimedJob, ErrorBody, Job, Message, Token, User } from "../../../src/contract/index.ts";

export interface Answer<Body> {
  status: number;
  headers: Headers;
  body: Body;
}

export interface Sent {
  key?: string;
  /** Sent as JSON; a string goes as it is. */
  body?: unknown;
  headers?: Record<string, string>;
}

export async function send<Body = ErrorBody>(
  method: string,
  path: string,
  { key, body, headers }: Sent = {},
): Promise<Answer<Body>> {
  const response = await exports.default.fetch(
    new Request(`https://api.test${path}`, {
      method,
      headers: { ...(key === undefined ? {} : { "X-Kelpie-Key": key }), ...headers },
      body: body === undefined ? null : typeof body === "string" ? body : JSON.stringify(body),
    }),
  );
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? null : JSON.parse(text) };
}

export const adminKey = env.KELPIE_ADMIN_KEY;

/** A new user with a token of its own. */
export async function signUp(username: string): Promise<{ id: string; key: string }> {
  const user = await send<User>("POST", "/users", { key: adminKey, body: { username } });
  expect(user.status).toBe(201);
  const names = { org_name: username, project_name: "default" };
  const token = await send<Token>("POST", `/users/${user.body.id}/token`, { key: adminKey, body: names });
  expect(token.status).toBe(201);
  return { id: user.body.id, key: token.body.token };
}

/** The smallest valid job. */
export const submission = (fields: Record<string, unknown> = {}) => ({
  command: "python",
  container_group_id: "group",
  sync: {},
  ...fields,
});

/** Queues a job and expects it to be taken. */
export async function submit(key: string, fields: Record<string, unknown> = {}): Promise<Job> {
  const { status, body } = await send<Job>("POST", "/jobs", { key, body: submission(fields) });
  expect(status).toBe(202);
  return body;
}

export async function getJob(key: string, id: string): Promise<Job> {
  const { status, body } = await send<Job>("GET", `/jobs/${id}`, { key });
  expect(status).toBe(200);
  return body;
}

let groups = 0;
/** A queue of its own for each test: storage is shared within a file. */
export const newGroup = () => `group-${++groups}`;

/** Asks for work as a machine; `more` is appended to the query. */
export async function claim(key: string, group: string, machine: string, more = ""): Promise<ClaimedJob[]> {
  const path = `/work?machine_id=${machine}&container_group_id=${group}${more}`;
  const { status, body } = await send<ClaimedJob[]>("GET", path, { key });
  expect(status).toBe(200);
  return body;
}

/** A holder's call about a job: `heartbeat`, `completed`, `failed` or `released`. */
export const tellerOf =
  (key: () => string) =>
  <Body = Message>(group: string, machine: string, id: string, what: string, fields = {}) =>
    send<Body>("POST", `/jobs/${id}/${what}`, {
      key: key(),
      body: { machine_id: machine, container_group_id: group, ...fields },
    });
