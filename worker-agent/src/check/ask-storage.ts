/** Can this node write, list, read and delete in the user's own S3-compatible storage, as a job's rules will have it do? */
import { randomUUID } from "node:crypto";
import { StorageError } from "../transfer/failures.ts";
import { HttpClient } from "../transfer/http-client.ts";
import type { ObjectContent, ObjectStore } from "../transfer/object-store.ts";
import type { TransferSettings } from "../transfer/ports.ts";
import { awsEndpoint } from "../transfer/stores/s3/address.ts";
import { S3Client } from "../transfer/stores/s3/s3-client.ts";
import { S3Store } from "../transfer/stores/s3/s3-store.ts";
import { askTimeoutMs } from "./ask-api.ts";
import { explainNetwork } from "./explain-network.ts";
import { type Finding, failed, ok, skipped } from "./finding.ts";

/** Undefined bucket: nobody said where to try. */
export async function askOwnStorage(
  settings: TransferSettings,
  { bucket, prefix }: { bucket?: string; prefix: string },
): Promise<Finding> {
  const hasKeys = settings.accessKeyId !== "" && settings.secretAccessKey !== "";
  if (bucket === undefined)
    return skipped(
      hasKeys
        ? "not tried: name a bucket (kelpie check --bucket NAME [--prefix PREFIX])"
        : "no AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY: jobs whose rules name a bucket would fail here",
    );
  if (!hasKeys)
    return failed(`to reach the bucket "${bucket}", set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`);
  const http = new HttpClient({ concurrentRequests: 1, stallTimeoutMs: askTimeoutMs });
  const store = new S3Store(new S3Client(http, settings), { tries: 1, backoffBaseMs: 0 }, bucket);
  const endpoint = settings.endpointUrl ?? awsEndpoint(settings.region);
  return await tryOut(store, `${prefix}kelpie-check-${randomUUID()}`, { bucket, endpoint });
}

interface Place {
  bucket: string;
  endpoint: string;
}

/** One object of its own, which it takes away again; nothing else is looked at. */
async function tryOut(store: ObjectStore, key: string, place: Place): Promise<Finding> {
  const text = `kelpie check ${key}`;
  const signal = AbortSignal.timeout(4 * askTimeoutMs);
  const steps: [string, string, () => Promise<unknown>][] = [
    ["write", "s3:PutObject", () => store.put({ key, contentType: "text/plain" }, contentOf(text), signal)],
    [
      "list",
      "s3:ListBucket",
      async () => {
        const listed = await store.list(key, signal);
        if (listed.length !== 1) throw new Error("what was just written is not in the list");
      },
    ],
    [
      "read",
      "s3:GetObject",
      async () => {
        const read = await store.reader(key).read({}, signal, (answer) => answer.text());
        if (read !== text) throw new Error("what was read is not what was written");
      },
    ],
    ["delete", "s3:DeleteObject", () => store.delete(key, signal)],
  ];
  const problems: string[] = [];
  for (const [doing, right, step] of steps) {
    try {
      await step();
    } catch (error) {
      problems.push(`cannot ${doing}: ${explain(error, right, place)}`);
      // Of what was not written there is nothing to list; what was is taken away, whatever came between.
      if (doing === "write") break;
    }
  }
  const where = `${place.bucket} at ${new URL(place.endpoint).origin}`;
  return problems.length === 0
    ? ok(`${where}: an object was written, listed, read and deleted`)
    : failed(`${where}: ${problems.join("; ")}`);
}

function contentOf(text: string): ObjectContent {
  return {
    sizeBytes: Buffer.byteLength(text),
    md5: () => Promise.reject(new Error("small objects go without")),
    async *open(hash) {
      const bytes = Buffer.from(text);
      hash?.update(bytes);
      yield bytes;
    },
  };
}

function explain(error: unknown, right: string, { bucket, endpoint }: Place): string {
  if (!(error instanceof StorageError))
    return error instanceof Error && error.message.startsWith("what was")
      ? error.message
      : explainNetwork(error, new URL(endpoint).origin, "AWS_ENDPOINT_URL");
  const { code, status, message } = error;
  switch (code) {
    case "NoSuchBucket":
      return `there is no bucket "${bucket}" (${code}): look at its name, AWS_ENDPOINT_URL and AWS_REGION`;
    case "InvalidAccessKeyId":
    case "SignatureDoesNotMatch":
    case "InvalidToken":
    case "ExpiredToken":
      return `the key is not accepted (${code}): look at AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN`;
    case "RequestTimeTooSkewed":
      return `this node's clock is off (${code}): set it`;
    case "AccessDenied":
      return `the key may not do that (${code}): it needs ${right} on this bucket`;
    default:
      return status === 403 ? `${message}; the key needs ${right} on this bucket` : message;
  }
}
