/** All objects under a prefix: ListObjectsV2, page after page. */
import { XMLParser } from "fast-xml-parser";
import { BadAnswer } from "../../failures.ts";
import type { ListedObject } from "../../object-store.ts";
import { type Patience, retrying } from "../../retry.ts";
import type { S3Client } from "./s3-client.ts";

interface ListDocument {
  ListBucketResult?: {
    Contents?: Array<{ Key?: string; Size?: string }>;
    EncodingType?: string;
    IsTruncated?: string;
    NextContinuationToken?: string;
  };
}

/** Values stay text: a key "007" is no number. Spaces at a key's ends belong to it. */
const parser = new XMLParser({
  ignoreAttributes: true,
  parseTagValue: false,
  trimValues: false,
  htmlEntities: true,
  isArray: (name) => name === "Contents",
});

export async function listObjects(
  client: S3Client,
  patience: Patience,
  place: { bucket: string; prefix: string },
  signal: AbortSignal,
): Promise<ListedObject[]> {
  const objects: ListedObject[] = [];
  const tokens = new Set<string>();
  for (let token: string | undefined; ; ) {
    const page = await retrying(patience, signal, () => listPage(client, place, token, signal));
    objects.push(...page.objects);
    if (page.next === undefined) return objects;
    // A storage that repeats itself would keep us here for ever.
    if (tokens.has(page.next)) throw new BadAnswer("the storage's list of objects repeats a page");
    tokens.add(page.next);
    token = page.next;
  }
}

async function listPage(
  client: S3Client,
  place: { bucket: string; prefix: string },
  token: string | undefined,
  signal: AbortSignal,
): Promise<{ objects: ListedObject[]; next: string | undefined }> {
  const query: Record<string, string> = {
    // XML 1.0 cannot carry every character that a key may have.
    "encoding-type": "url",
    "list-type": "2",
    "max-keys": "1000",
    prefix: place.prefix,
  };
  if (token !== undefined) query["continuation-token"] = token;
  const text = await client.exchange({ method: "GET", bucket: place.bucket, query, signal }, (answer) =>
    answer.text(),
  );
  const document: ListDocument = parser.parse(text);
  const result = document.ListBucketResult;
  if (!result) throw new BadAnswer("the storage's list of objects is not S3's XML");
  const decode = result.EncodingType === "url" ? decodeKey : (key: string) => key;
  const objects = (result.Contents ?? []).map(({ Key, Size }) => {
    const sizeBytes = Number(Size);
    if (Key === undefined || Size === undefined || !Number.isSafeInteger(sizeBytes)) {
      throw new BadAnswer("the storage's list of objects lacks a key or a size");
    }
    return { key: decode(Key), sizeBytes };
  });
  if (result.IsTruncated !== "true") return { objects, next: undefined };
  if (!result.NextContinuationToken) throw new BadAnswer("a truncated list of objects without continuation");
  return { objects, next: result.NextContinuationToken };
}

/** As in a form: "+" is a space, and a plus sign comes as %2B. */
function decodeKey(escaped: string): string {
  try {
    return decodeURIComponent(escaped.replaceAll("+", " "));
  } catch (cause) {
    throw new BadAnswer(`the storage listed a key that cannot be decoded: ${escaped}`, { cause });
  }
}
