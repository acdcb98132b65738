/**
 * Bytes on their way into the bucket through the API: never held whole, and stored only if they are exactly what was permitted. A
 * request that breaks off stores nothing: R2 keeps an object or a part once all of it has come.
 */
import { hexOf } from "../domain/hex.ts";
import { httpMetadataOf } from "./content.ts";
import type { Write } from "./granter.ts";
import { r2Outcome } from "./r2-fault.ts";

export type Received =
  | { ok: true; etag: string }
  | { ok: false; reason: "precondition" | "checksum" | "no_upload" | "size" };

export async function receive(
  bucket: R2Bucket,
  write: Write,
  body: ReadableStream<Uint8Array> | null,
): Promise<Received> {
  // R2 checks the MD5 of objects itself, but not that of parts.
  const check = write.part && write.md5 !== undefined ? new Md5Check(write.md5) : null;
  const source = body ?? empty();
  // R2 wants to know the length beforehand; this also breaks off whatever is longer or shorter.
  const sized = new FixedLengthStream(write.size);
  const piped = (check ? source.pipeThrough(check.transform) : source).pipeTo(sized.writable).then(
    () => null,
    (error: unknown) => error,
  );
  const outcome = await r2Outcome(() => store(bucket, write, sized.readable)).catch(
    async (error: unknown) => {
      // Was it we who broke the stream off?
      const broken = await piped;
      if (check?.failed) return { fault: "checksum" as const };
      if (saysSize(broken) || saysSize(error)) return { fault: "size" as const };
      throw error;
    },
  );
  if ("value" in outcome) {
    return outcome.value === null
      ? { ok: false, reason: "precondition" }
      : { ok: true, etag: outcome.value.etag };
  }
  switch (outcome.fault) {
    case "checksum":
    case "no_upload":
    case "size":
      return { ok: false, reason: outcome.fault };
    default:
      throw new Error(`R2 refused an upload: ${outcome.fault}`);
  }
}

function store(bucket: R2Bucket, write: Write, stream: ReadableStream): Promise<{ etag: string } | null> {
  if (write.part) {
    return bucket.resumeMultipartUpload(write.key, write.part.uploadId).uploadPart(write.part.number, stream);
  }
  return bucket.put(write.key, stream, {
    httpMetadata: httpMetadataOf(write),
    ...(write.md5 === undefined ? {} : { md5: write.md5 }),
    ...(write.onlyIfAbsent ? { onlyIf: { etagDoesNotMatch: "*" } } : {}),
    ...(write.onlyIfEtag === undefined ? {} : { onlyIf: { etagMatches: write.onlyIfEtag } }),
  });
}

/** Lets bytes through, and fails at their end if they are not those of this MD5. */
class Md5Check {
  failed = false;
  readonly transform: TransformStream<Uint8Array, Uint8Array>;

  constructor(md5: string) {
    const digest = new crypto.DigestStream("MD5");
    const writer = digest.getWriter();
    this.transform = new TransformStream({
      transform: async (chunk, controller) => {
        await writer.write(chunk);
        controller.enqueue(chunk);
      },
      flush: async () => {
        await writer.close();
        this.failed = hexOf(new Uint8Array(await digest.digest)) !== md5;
        if (this.failed) throw new Error("the body has another MD5 than was told");
      },
    });
  }
}

/** Too many bytes fail where they are written, too few where they are read. */
function saysSize(error: unknown): boolean {
  return error instanceof TypeError && error.message.includes("FixedLengthStream");
}

const empty = () => new Blob([]).stream() as ReadableStream<Uint8Array>;
