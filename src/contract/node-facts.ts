import { z } from "zod";
import { limits } from "./limits.ts";
import { text, wholeNumber } from "./text.ts";

const Fact = text(limits.factChars).min(1);

/** What an agent tells of itself and its node with each claim, as query parameters; all of it for people, none of it believed. */
export const NodeFacts = z.object({
  agent_version: Fact.describe("Version of the agent"),
  gpu_model: Fact.describe("Model of the node's GPUs, as its driver names it"),
  gpu_count: wholeNumber(0, 1024).describe("GPUs that the container sees"),
  driver_version: Fact.describe("Version of the GPU's driver"),
  memory_bytes: wholeNumber(0, Number.MAX_SAFE_INTEGER).describe(
    "Memory that the container may use, in bytes",
  ),
  disk_bytes: wholeNumber(0, Number.MAX_SAFE_INTEGER).describe(
    "Size of the disk with the working directory, in bytes",
  ),
});
export type NodeFacts = z.infer<typeof NodeFacts>;
