/** Fills chunks with small files, and keeps them on disk until they are sent: the files themselves may change meanwhile. */
import { LocalFailure } from "../transfer/failures.ts";
import type { FileContent } from "./content.ts";
import { sha256Of } from "./reading.ts";
import type { Segment, Sources } from "./sources.ts";
import type { Staging } from "./staging.ts";

interface Member {
  path: string;
  original: string;
  offset: number;
  bytes: number;
}

export class Packer {
  readonly #staging: Staging;
  readonly #sources: Sources;
  readonly #isStored: (sha256: string) => boolean;
  readonly #onPacked: (path: string, content: FileContent) => void;
  readonly #onNoRoom: () => void;
  readonly #chunkBytes: number;
  #members: Member[] = [];
  #parts: Uint8Array[] = [];
  #bytes = 0;

  constructor(
    staging: Staging,
    sources: Sources,
    options: {
      chunkBytes: number;
      isStored: (sha256: string) => boolean;
      onPacked: (path: string, content: FileContent) => void;
      onNoRoom: () => void;
    },
  ) {
    this.#staging = staging;
    this.#sources = sources;
    this.#chunkBytes = options.chunkBytes;
    this.#isStored = options.isStored;
    this.#onPacked = options.onPacked;
    this.#onNoRoom = options.onNoRoom;
  }

  /** `original`: the absolute path. */
  async add(path: string, original: string, bytes: Uint8Array): Promise<void> {
    if (this.#bytes + bytes.byteLength > this.#chunkBytes) await this.flush();
    this.#members.push({ path, original, offset: this.#bytes, bytes: bytes.byteLength });
    this.#parts.push(bytes);
    this.#bytes += bytes.byteLength;
  }

  async flush(): Promise<void> {
    if (this.#members.length === 0) return;
    const bytes = Buffer.concat(this.#parts);
    const members = this.#members;
    this.#parts = [];
    this.#members = [];
    this.#bytes = 0;
    const chunk = { sha256: await sha256Of(bytes), bytes: bytes.byteLength };
    if (!this.#isStored(chunk.sha256) && !this.#sources.has(chunk.sha256)) {
      this.#sources.set(chunk.sha256, await this.#keep(bytes, members));
    }
    for (const { path, offset, bytes } of members) {
      this.#onPacked(path, { sizeBytes: bytes, pieces: [{ chunk, offset, bytes }] });
    }
  }

  async #keep(bytes: Uint8Array, members: Member[]): Promise<Segment[]> {
    try {
      return [{ staged: await this.#staging.write(bytes), offset: 0, bytes: bytes.byteLength }];
    } catch (failure) {
      if (!(failure instanceof LocalFailure) || failure.code !== "ENOSPC") throw failure;
      this.#onNoRoom();
      const segments: Segment[] = [];
      for (const { path, original, bytes } of members) {
        const staged = await this.#staging.link(original);
        if (staged === undefined) throw failure;
        segments.push({ staged, offset: 0, bytes, file: path });
      }
      return segments;
    }
  }
}
