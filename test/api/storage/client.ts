/** Speaks to the storage routes as agents and people do, and moves bytes by the URLs they answer. */
import { exports } from "cloudflare:workers";
import { expect } from "vitest";
import type { ErrorBody, Grant, Grants, LeaseProof } from "../../../src/contract/index.ts";
import { hexOf } from "../../../src/domain/hex.ts";
import { claim, newGroup, send, submit } from "../http/client.ts";

const digest = async (algorithm: string, content: string) =>
  hexOf(new Uint8Array(await crypto.subtle.digest(algorithm, new TextEncoder().encode(content))));
export const md5 = (content: string) => digest("MD5", content);
export const sha256 = (content: string) => digest("SHA-256", content);
export const bytes = (content: string) => new TextEncoder().encode(content).byteLength;

export interface HeldJob {
  jobId: string;
  userKey: string;
  proof: LeaseProof;
}

/** A job with managed storage, claimed by an agent. */
export async function holdJob(userKey: string, group = newGroup(), machine = "m1"): Promise<HeldJob> {
  const rule = { prefix: "out/", local_path: "/out", direction: "upload" };
  await submit(userKey, { container_group_id: group, sync: { during: [rule] } });
  return claimHeld(userKey, group, machine);
}

/** Claims the next job of the group. */
export async function claimHeld(userKey: string, group: string, machine = "m1"): Promise<HeldJob> {
  const [job] = await claim(userKey, group, machine, `&claim_id=${crypto.randomUUID()}`);
  if (!job?.lease_token) throw new Error("nothing was claimed");
  const proof = {
    machine_id: machine,
    container_group_id: group,
    attempt: job.attempt,
    lease_token: job.lease_token,
  };
  return { jobId: job.id, userKey, proof };
}

/** A call of the job's holder: `grants`, `list`, `uploads/complete`, … */
export const underLease = <Body = ErrorBody>(held: HeldJob, what: string, fields: Record<string, unknown>) =>
  send<Body>("POST", `/jobs/${held.jobId}/storage/${what}`, {
    key: held.userKey,
    body: { ...held.proof, ...fields },
  });

/** One grant, expected to be given. */
export async function grant(held: HeldJob, request: Record<string, unknown>): Promise<Grant> {
  const { status, body } = await underLease<Grants>(held, "grants", { requests: [request] });
  expect([status, body]).toMatchObject([200, { grants: [expect.anything()] }]);
  return body.grants[0] as Grant;
}

/** Uses a URL as it was granted; `more` goes over its headers. */
export async function transfer(
  { method, url, headers }: Pick<Grant, "method" | "url" | "headers">,
  content?: string,
  more: Record<string, string> = {},
): Promise<Response> {
  const length = lengthOf(content);
  return exports.default.fetch(
    new Request(url, { method, headers: { ...headers, ...length, ...more }, body: content ?? null }),
  );
}

/** Reads what people see under a key; null: nothing. */
export async function readAs(userKey: string, key: string): Promise<string | null> {
  const response = await fetchFile(userKey, "GET", key);
  const content = await textOf(response);
  if (response.status === 404) return null;
  expect(response.status).toBe(200);
  return content;
}

/** A call about one file; the key is encoded as clients have to. */
export function fetchFile(
  userKey: string,
  method: string,
  key: string,
  content?: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  const path = key.split("/").map(encodeURIComponent).join("/");
  const length = lengthOf(content);
  return exports.default.fetch(
    new Request(`https://api.test/files/${path}`, {
      method,
      headers: { "X-Kelpie-Key": userKey, ...length, ...headers },
      body: content ?? null,
    }),
  );
}

/** Puts a file as a person does, and expects it to be taken. */
export async function putFile(userKey: string, key: string, content: string): Promise<void> {
  const response = await fetchFile(userKey, "PUT", key, content);
  expect([key, response.status, await response.text()]).toMatchObject([key, 200, expect.anything()]);
}

/** A body as text, whatever its Content-Type says. */
export async function textOf(response: Response): Promise<string> {
  return new TextDecoder().decode(await response.arrayBuffer());
}

function lengthOf(content: string | undefined): Record<string, string> {
  return content === undefined ? {} : { "Content-Length": String(bytes(content)) };
}
