/**
 * A generation's manifest: lines of JSON. The first names every chunk and is all that the API reads; each further line is one
 * entry of the directory. Written and read by agents; whoever reads one trusts nothing in it (paths least of all).
 */
import { z } from "zod";
import { limits } from "./limits.ts";
import { GenerationName } from "./snapshot.ts";
import { Sha256 } from "./storage.ts";
import { text } from "./text.ts";

/** `[attempt, generation, sha256, bytes]`: the chunk's key, and its size. */
export const ChunkName = z.tuple([
  z.int().min(1),
  z.int().min(1),
  Sha256,
  z.int().min(1).max(limits.chunkBytes),
]);
export type ChunkName = z.infer<typeof ChunkName>;

export const ManifestHead = z.object({
  version: z.literal(1),
  job_id: z.uuid(),
  prefix: z.string(),
  attempt: z.int().min(1),
  generation: z.int().min(1),
  base: GenerationName.nullable(),
  cut: z.iso.datetime().describe("By the node's clock"),
  quiet: z.boolean(),
  files: z.int().min(0),
  bytes: z.int().min(0).describe("Of all files"),
  chunks: z.array(ChunkName).max(limits.generationChunks).describe("Each once"),
});
export type ManifestHead = z.infer<typeof ManifestHead>;

const Mtime = z.string().regex(/^-?\d{1,20}$/, { error: "is not a number of nanoseconds" });
const Mode = z.int().min(0).max(0o7777);
const Path = text(limits.pathChars).min(1);

/** `[index into chunks, offset in the chunk, bytes]`, in the file's order. */
export const Piece = z.tuple([z.int().min(0), z.int().min(0), z.int().min(1)]);
export type Piece = z.infer<typeof Piece>;

/** Paths are relative to the rule's directory, with `/`. */
export const ManifestEntry = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("file"),
    path: Path,
    mode: Mode,
    mtime_ns: Mtime,
    size: z.int().min(0),
    pieces: z.array(Piece),
  }),
  z.object({ type: z.literal("link"), path: Path, target: text(limits.pathChars).min(1) }),
  z.object({ type: z.literal("directory"), path: Path, mode: Mode, mtime_ns: Mtime }),
]);
export type ManifestEntry = z.infer<typeof ManifestEntry>;
