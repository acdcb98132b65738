/** What fields of one object have to do with each other, which no schema says. Each rule is one that the API refuses the breach of. */
import { createHash } from "node:crypto";
import type { Random } from "../../test/simulation/world/random.ts";
import { contentOf } from "./content.ts";
import type { Facts } from "./memory.ts";

interface FieldRule {
  /** It is about objects that may have all of these. */
  fields: string[];
  settle(object: Facts, random: Random): void;
}

const fieldRules: FieldRule[] = [
  {
    // One of them excludes the other.
    fields: ["expires", "expires_seconds"],
    settle(object, random) {
      if (object.expires !== undefined && object.expires_seconds !== undefined)
        delete object[random.pick(["expires", "expires_seconds"])];
    },
  },
  {
    // A node's token names its group, a user's (the default) must not.
    fields: ["role", "container_group_id"],
    settle(object, random) {
      if (object.role !== "node") delete object.container_group_id;
      else object.container_group_id ??= random.pick(["fuzz-a", "fuzz-b"]);
    },
  },
  {
    fields: ["min_replicas", "max_replicas"],
    settle(object) {
      const { min_replicas: least, max_replicas: most } = object;
      if (typeof least === "number" && typeof most === "number" && least > most)
        Object.assign(object, { min_replicas: most, max_replicas: least });
    },
  },
  {
    // `sync` or the six older fields.
    fields: ["command", "container_group_id", "sync"],
    settle(object, random) {
      for (const part of ["input", "checkpoint", "output"]) {
        delete object[`${part}_bucket`];
        delete object[`${part}_prefix`];
      }
      const isKept = random.chance(0.2) && object.sync && typeof object.sync === "object";
      if (!isKept) object.sync = {};
    },
  },
  {
    // What is sent is always the same bytes, of the size that was told.
    fields: ["size", "md5"],
    settle(object) {
      const { size, md5 } = object;
      if (typeof size === "number" && size <= 100_000 && md5 !== undefined)
        object.md5 = createHash("md5").update(contentOf(size)).digest("hex");
    },
  },
  {
    // Only snapshots have these.
    fields: ["direction"],
    settle(object) {
      if (object.direction !== "upload" && object.direction !== "download") return;
      for (const field of ["mode", "min_interval_seconds", "quiet_seconds", "keep"]) delete object[field];
    },
  },
];

/** Makes the object, of a schema with these fields, one that keeps the rules. */
export function settleFields(object: Facts, fields: string[], random: Random): Facts {
  for (const rule of fieldRules)
    if (rule.fields.every((name) => fields.includes(name))) rule.settle(object, random);
  // A cursor is of the list that told it; only some try another.
  if (object.cursor !== undefined && random.chance(0.9)) delete object.cursor;
  return object;
}
