/**
 * What generations need of managed storage: chunks and manifests by granted URLs, the head, commits and doubts by calls of
 * the API. Writing happens under trust; a lapse interrupts it, and it is begun again in the next term.
 */
import {
  type ChunkName,
  CommitAnswer,
  type CommitRequest,
  DoubtAnswer,
  type DoubtRequest,
  type GenerationName,
  Head,
  type LeaseProof,
} from "../../../src/contract/index.ts";
import { type Term, underTrust } from "../transfer/effects.ts";
import { BadAnswer, StorageError } from "../transfer/failures.ts";
import type { HttpAnswer } from "../transfer/http-client.ts";
import type { TransferContext } from "../transfer/ports.ts";
import { type Patience, retrying } from "../transfer/retry.ts";
import type { AttemptStorage } from "../transfer/stores/managed/attempt-storage.ts";

/** Bytes with the names by which they are asked for and checked, in hex. */
export interface NamedBytes {
  sha256: string;
  md5: string;
  bytes: Uint8Array;
}

export type Unproven<T> = Omit<T, keyof LeaseProof>;

export interface SnapshotStore {
  head(prefix: string): Promise<Head>;
  putChunk(generation: number, chunk: NamedBytes): Promise<void>;
  putManifest(generation: number, manifest: NamedBytes): Promise<void>;
  /** Exactly the bytes that are there, at most `bytes` of them plus a few. Undefined: the storage says that there is no such object. */
  getChunk(name: ChunkName): Promise<Buffer | undefined>;
  getManifest(name: NonNullable<Head["head"]>): Promise<Buffer | undefined>;
  commit(request: Unproven<CommitRequest>): Promise<CommitAnswer>;
  doubt(request: Unproven<DoubtRequest>): Promise<DoubtAnswer>;
}

/** A sign of life for the watch on stalls each time that one has left: also where the uplink is slow. */
const sliceBytes = 64 * 1024;
/** The API lists what the generation has in the storage: seconds for many thousand chunks. */
const commitTimeoutMs = 60_000;

export function createSnapshotStore(
  storage: AttemptStorage,
  patience: Patience,
  context: TransferContext,
): SnapshotStore {
  const { signal } = context;

  const write = (wish: Parameters<AttemptStorage["putOnce"]>[0], bytes: Uint8Array) =>
    underTrust(context, (term) =>
      retrying(patience, term.signal, async () => {
        await term.confirm();
        await storage.putOnce(wish, bodyOf(bytes), term.signal);
      }),
    );

  const read = async (
    kind: "get_chunk" | "get_manifest",
    { attempt, generation }: GenerationName,
    sha256: string,
    sizeBytes: number,
  ) => {
    try {
      return await retrying(patience, signal, () =>
        storage.request({ kind, attempt, generation, sha256 }, {}, signal, (answer) =>
          bytesOf(answer, sizeBytes),
        ),
      );
    } catch (failure) {
      if (failure instanceof StorageError && failure.status === 404 && failure.method === "GET")
        return undefined;
      throw failure;
    }
  };

  const change = <T>(work: (term: Term) => Promise<T>) =>
    underTrust(context, async (term) => {
      await term.confirm();
      return await work(term);
    });

  return {
    head: (prefix) => storage.call({ path: "/checkpoints/head", body: { prefix }, answer: Head, signal }),
    putChunk: (generation, { sha256, md5, bytes }) =>
      write({ kind: "put_chunk", generation, sha256, md5, size: bytes.byteLength }, bytes),
    putManifest: (generation, { sha256, md5, bytes }) =>
      write({ kind: "put_manifest", generation, sha256, md5, size: bytes.byteLength }, bytes),
    getChunk: ([attempt, generation, sha256, bytes]) =>
      read("get_chunk", { attempt, generation }, sha256, bytes),
    getManifest: ({ manifest, ...name }) => read("get_manifest", name, manifest.sha256, manifest.size),
    commit: (body) =>
      change((term) =>
        storage.call({
          path: "/checkpoints",
          body,
          answer: CommitAnswer,
          signal: term.signal,
          timeoutMs: commitTimeoutMs,
        }),
      ),
    doubt: (body) =>
      change((term) =>
        storage.call({ path: "/checkpoints/doubt", body, answer: DoubtAnswer, signal: term.signal }),
      ),
  };
}

function bodyOf(bytes: Uint8Array) {
  return {
    lengthBytes: bytes.byteLength,
    async *open() {
      for (let start = 0; start < bytes.byteLength; start += sliceBytes) {
        yield bytes.subarray(start, start + sliceBytes);
      }
    },
  };
}

/** No more than was expected is taken in: another size is another object, whatever else it holds. */
async function bytesOf(answer: HttpAnswer, sizeBytes: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(sizeBytes);
  let filled = 0;
  let over = false;
  for await (const part of answer.chunks()) {
    over = filled + part.byteLength > sizeBytes;
    if (over) break;
    buffer.set(part, filled);
    filled += part.byteLength;
  }
  if (over) return Buffer.alloc(0);
  const length = answer.header("content-length");
  // A body cut short by something in between is worth another try; an object that is too short is not.
  if (length !== undefined && filled < Number(length))
    throw new BadAnswer(`the storage sent ${filled} of ${length} bytes`);
  return buffer.subarray(0, filled);
}
