/** What the demo and the end-to-end tests ask of an API: over HTTP, as any client would. */
import { AwsClient } from "aws4fetch";
import { XMLParser } from "fast-xml-parser";
import { z } from "zod";
import {
  AttemptList,
  CheckpointList,
  GroupStatus,
  Job,
  type JobStatus,
  type JobSubmission,
  Message,
  type NewScalingRule,
  ScalingRule,
  StoredFileList,
  Token,
  User,
} from "../src/contract/index.ts";
import { type LocalApi, localBucket } from "./local-api.ts";

export type SubmittedJob = z.input<typeof JobSubmission>;

export interface Client {
  readonly key: string;
  /** In request order. */
  submit(jobs: SubmittedJob[]): Promise<Job[]>;
  job(id: string): Promise<Job>;
  cancel(id: string): Promise<void>;
  /** The newest 1,000. */
  jobs(containerGroupId: string, status?: JobStatus): Promise<Job[]>;
  group(id: string): Promise<GroupStatus>;
  /** For a group that has none yet. */
  addScalingRule(rule: z.input<typeof NewScalingRule>): Promise<ScalingRule>;
  attempts(id: string): Promise<AttemptList["attempts"]>;
  /** Generations of snapshots, newest first. */
  checkpoints(id: string): Promise<CheckpointList["checkpoints"]>;
  /** A file of managed storage, or a published output. Undefined: no such file. */
  file(key: string): Promise<string | undefined>;
  putFile(key: string, content: string): Promise<void>;
  /** Keys of the first 1,000. */
  files(prefix: string): Promise<string[]>;
}

async function call<T>(
  answerAs: z.ZodType<T>,
  url: string,
  key: string,
  init: { method?: string; body?: unknown } = {},
): Promise<T> {
  const response = await fetch(url, {
    method: init.method ?? "GET",
    headers: { "X-Kelpie-Key": key, "Content-Type": "application/json" },
    body: init.body === undefined ? undefined : JSON.stringify(init.body),
    signal: AbortSignal.timeout(20_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${init.method ?? "GET"} ${url} answered ${response.status}: ${text}`);
  return answerAs.parse(JSON.parse(text));
}

/** Creates a user of that name and a token for it, with the admin's key. */
export async function createClient(api: LocalApi, username: string): Promise<Client> {
  const asAdmin = <T>(answerAs: z.ZodType<T>, path: string, body: unknown) =>
    call(answerAs, `${api.url}${path}`, api.adminKey, { method: "POST", body });
  const user = await asAdmin(User, "/users", { username });
  const { token } = await asAdmin(Token, `/users/${user.id}/token`, {
    org_name: username,
    project_name: "default",
  });
  return clientOf(api.url, token);
}

export function clientOf(url: string, key: string): Client {
  const ofFile = (path: string, init: RequestInit = {}) =>
    fetch(`${url}/files/${path.split("/").map(encodeURIComponent).join("/")}`, {
      ...init,
      headers: { "X-Kelpie-Key": key },
      signal: AbortSignal.timeout(20_000),
    });
  return {
    key,
    submit: (jobs) => call(z.array(Job), `${url}/jobs/batch`, key, { method: "POST", body: jobs }),
    job: (id) => call(Job, `${url}/jobs/${id}`, key),
    async cancel(id) {
      await call(Message, `${url}/jobs/${id}`, key, { method: "DELETE" });
    },
    async jobs(containerGroupId, status) {
      const query = new URLSearchParams({ container_group_id: containerGroupId, page_size: "1000" });
      if (status !== undefined) query.set("status", status);
      return (await call(z.object({ jobs: z.array(Job) }), `${url}/jobs?${query}`, key)).jobs;
    },
    group: (id) => call(GroupStatus, `${url}/container-groups/${encodeURIComponent(id)}`, key),
    addScalingRule: (rule) => call(ScalingRule, `${url}/scaling-rules`, key, { method: "POST", body: rule }),
    attempts: async (id) => (await call(AttemptList, `${url}/jobs/${id}/attempts`, key)).attempts,
    checkpoints: async (id) => (await call(CheckpointList, `${url}/jobs/${id}/checkpoints`, key)).checkpoints,
    async file(path) {
      const response = await ofFile(path);
      const text = await response.text();
      if (response.status === 404) return undefined;
      if (!response.ok) throw new Error(`GET /files/${path}: ${response.status} ${text}`);
      return text;
    },
    async putFile(path, content) {
      const response = await ofFile(path, { method: "PUT", body: content });
      if (!response.ok) throw new Error(`PUT /files/${path}: ${response.status} ${await response.text()}`);
    },
    async files(prefix) {
      const query = new URLSearchParams({ prefix, limit: "1000" });
      return (await call(StoredFileList, `${url}/files?${query}`, key)).files.map((file) => file.key);
    },
  };
}

/** The bucket as anybody with S3 credentials sees it. */
export interface Bucket {
  /** Undefined: no such object. */
  get(key: string): Promise<string | undefined>;
  list(prefix: string): Promise<string[]>;
}

export function openBucket(s3Endpoint: string): Bucket {
  const { accessKeyId, secretAccessKey, region, bucket } = localBucket;
  const aws = new AwsClient({ accessKeyId, secretAccessKey, region, service: "s3" });
  const root = `${s3Endpoint}/${bucket}`;
  return {
    async get(key) {
      const response = await aws.fetch(`${root}/${key.split("/").map(encodeURIComponent).join("/")}`);
      if (response.status === 404) return undefined;
      if (!response.ok) throw new Error(`GET ${key}: ${response.status} ${await response.text()}`);
      return response.text();
    },
    async list(prefix) {
      const query = new URLSearchParams({ "list-type": "2", prefix });
      const response = await aws.fetch(`${root}?${query}`);
      const text = await response.text();
      if (!response.ok) throw new Error(`list ${prefix}: ${response.status} ${text}`);
      const parsed = new XMLParser({ isArray: (name) => name === "Contents", parseTagValue: false }).parse(
        text,
      );
      const contents: { Key: string }[] = parsed.ListBucketResult?.Contents ?? [];
      return contents.map(({ Key }) => Key);
    },
  };
}
