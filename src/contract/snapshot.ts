/** Generations of snapshots on the wire (docs/storage.md, "Snapshot"). */
import { z } from "zod";
import { limits } from "./limits.ts";
import { LeaseProof, Sha256 } from "./storage.ts";
import { Prefix } from "./sync.ts";
import { Time } from "./time.ts";

/** A generation by its name: the attempt that committed it, and that attempt's own count. */
export const GenerationName = z.object({
  attempt: z.int().min(1).describe("The attempt that committed it"),
  generation: z.int().min(1).describe("That attempt's own count, from 1"),
});
export type GenerationName = z.infer<typeof GenerationName>;

const Manifest = z.object({
  sha256: Sha256,
  size: z.int().min(1).max(limits.manifestBytes).describe("Bytes"),
});

/** Which generation the next one builds on, and a resume begins with. */
export const HeadRequest = LeaseProof.extend({ prefix: Prefix });
export type HeadRequest = z.infer<typeof HeadRequest>;
export const Head = z.object({
  head: GenerationName.extend({ manifest: Manifest.describe("Where its names stand") })
    .nullable()
    .describe("The newest intact generation; null: none"),
  lost: z
    .boolean()
    .describe("There were generations, but none is intact: beginning from zero is for people to decide"),
});
export type Head = z.infer<typeof Head>;

/** Makes a generation visible, whole. Succeeds only under the current lease and on the current head; a repeat is a success. */
export const CommitRequest = LeaseProof.extend({
  prefix: Prefix,
  base: GenerationName.nullable().describe("The generation that it builds on; null: none"),
  generation: z.int().min(1).describe("Rises with each commit of this attempt, over all its prefixes"),
  manifest: Manifest.describe("The manifest that was uploaded for it"),
  keep: z
    .int()
    .min(1)
    .max(limits.keptGenerations)
    .optional()
    .describe("Generations of this prefix to keep, the newest ones (Default: 3)"),
});
export type CommitRequest = z.infer<typeof CommitRequest>;

/**
 * `missing`: chunks that the manifest names and that the storage lacks, or that the base does not name; or the manifest itself.
 * At most 100 of them, to be sent in this generation; nothing was committed.
 */
export const CommitAnswer = z.discriminatedUnion("committed", [
  z.object({ committed: z.literal(true).describe("It is the head now") }),
  z.object({
    committed: z.literal(false).describe("Nothing was committed"),
    missing: z.array(Sha256).describe("Chunks, or the manifest, to be sent in this generation"),
  }),
]);
export type CommitAnswer = z.infer<typeof CommitAnswer>;

/**
 * A chunk or manifest of the head that could not be read.
 * - `missing`: the storage says that it is not there. Believed if the API sees the same.
 * - `corrupt`: its bytes have another hash, believed if the API reads the same; or it is a manifest that cannot be what was cut,
 *   believed once two machines say so.
 */
export const DoubtRequest = LeaseProof.extend({
  prefix: Prefix,
  head: GenerationName.describe("The generation that could not be read"),
  chunk: GenerationName.extend({ sha256: Sha256 }).nullable().describe("Null: the manifest itself"),
  problem: z.enum(["missing", "corrupt"]).describe("Not there, or with another hash"),
});
export type DoubtRequest = z.infer<typeof DoubtRequest>;
export const DoubtAnswer = z.object({
  moved: z
    .boolean()
    .describe("The head is now an older generation: ask for it. Otherwise this node is to give the job back"),
});
export type DoubtAnswer = z.infer<typeof DoubtAnswer>;

/** A generation, as `GET /jobs/:id/checkpoints` lists it, newest first. */
export const Checkpoint = GenerationName.extend({
  prefix: z.string().describe("Of the rule that it belongs to"),
  committed: Time.describe("When it was committed"),
  files: z.int().describe("Files in it"),
  bytes_new: z.int().describe("Bytes that this generation added"),
  bytes_total: z.int().describe("Bytes of its files"),
  quiet: z.boolean().describe("Nothing changed while it was cut: its files belong together"),
  verified: z
    .boolean()
    .describe("Every chunk that it names was seen in the storage, in its size, when it was committed"),
  state: z
    .enum(["kept", "retired", "damaged"])
    .describe("`retired`: over the number to keep, its own chunks are being deleted"),
});
export type Checkpoint = z.infer<typeof Checkpoint>;
export const CheckpointList = z.object({
  _count: z.int().describe("Length of this list"),
  checkpoints: z.array(Checkpoint).describe("Newest first"),
});
export type CheckpointList = z.infer<typeof CheckpointList>;
