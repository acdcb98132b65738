/**
 * Bytes on their way into the bucket through the API: never held whole, and stored only if they are exactly what was permitted. A
 * request that breaks off stores nothing: R2 keeps an object or a part once all of it has come.
 */
import type { Write } from "./granter.ts";
import { r2Outcome } from "./r2-fault.ts";

export type Received =
  | { ok: true; etag: string }
  | { ok: false; reason: "exists" | "checksum" | "no_upload" | "size" };

export async function receive(
  bucket: R2Bucket,
  write: Write,
  body: ReadableStream<Uint8Array> | null,
): Promise<Received> {
  const measured = new Measured(write.size, write.part ? write.md5 : undefined);
  const stream = (body ?? empty())
    .pipeThrough(measured.transform)
    .pipeThrough(new FixedLengthStream(write.size));
  const outcome = await r2Outcome(() => store(bucket, write, stream)).catch((error: unknown) => {
    // It was we who broke the stream off.
    if (measured.fault === null) throw error;
    return { fault: measured.fault };
  });
  if ("value" in outcome) {
    return outcome.value === null ? { ok: false, reason: "exists" } : { ok: true, etag: outcome.value.etag };
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
  const { contentType, contentEncoding } = write;
  return bucket.put(write.key, stream, {
    httpMetadata: {
      ...(contentType === undefined ? {} : { contentType }),
      ...(contentEncoding === undefined ? {} : { contentEncoding }),
    },
    ...(write.md5 === undefined ? {} : { md5: write.md5 }),
    ...(write.onlyIfAbsent ? { onlyIf: { etagDoesNotMatch: "*" } } : {}),
  });
}

/** Lets bytes through and breaks off what is longer, shorter or other than told. R2 checks the MD5 of objects, but not of parts. */
class Measured {
  fault: "size" | "checksum" | null = null;
  readonly transform: TransformStream<Uint8Array, Uint8Array>;

  constructor(size: number, md5: string | undefined) {
    const digest = md5 === undefined ? null : new crypto.DigestStream("MD5");
    const writer = digest?.getWriter();
    let bytes = 0;
    const fail = (fault: "size" | "checksum"): never => {
      this.fault = fault;
      throw new Error(`the body has another ${fault} than was told`);
    };
    this.transform = new TransformStream({
      transform: async (chunk, controller) => {
        bytes += chunk.byteLength;
        if (bytes > size) fail("size");
        await writer?.write(chunk);
        controller.enqueue(chunk);
      },
      flush: async () => {
        if (bytes < size) fail("size");
        await writer?.close();
        if (digest && hex(await digest.digest) !== md5) fail("checksum");
      },
    });
  }
}

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

const empty = () => new Blob([]).stream() as ReadableStream<Uint8Array>;
