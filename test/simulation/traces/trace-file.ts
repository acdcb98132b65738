/**
 * The file of recorded jobs: an array, one entry per job, its segments in order. `begin`: the command got to work there.
 * `last_seen`: the last line of its log that reached the storage, so the last checkpoint that survived; what was
 * computed after it was lost. Times are UTC.
 */
import { readFileSync } from "node:fs";
import { z } from "zod";

/** More than anybody has recorded; what is larger is another file. */
const mostJobs = 10_000;
const mostSegments = 10_000;

const time = z
  .string()
  .regex(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?$/, "wants a UTC time such as 2024-11-02T00:50:10")
  .transform((text, ctx) => {
    const ms = Date.parse(text.endsWith("Z") ? text : `${text}Z`);
    if (!Number.isFinite(ms)) ctx.addIssue({ code: "custom", message: "is no time" });
    return ms;
  });

const segment = z
  .object({
    begin: time,
    last_seen: time,
    machine: z.string().min(1),
    down_mbps: z.number().positive(),
    up_mbps: z.number().positive(),
  })
  .transform((one) => ({
    beginMs: one.begin,
    lastSeenMs: one.last_seen,
    machineId: one.machine,
    downMbps: one.down_mbps,
    upMbps: one.up_mbps,
  }));

const tracedJob = z
  .object({
    source: z.string().min(1),
    job: z.string().min(1),
    compute_hours: z.number().positive(),
    wall_hours: z.number().positive(),
    segments: z.array(segment).min(1).max(mostSegments),
  })
  .transform((one) => ({
    source: one.source,
    job: one.job,
    computeHours: one.compute_hours,
    wallHours: one.wall_hours,
    segments: one.segments,
  }))
  .superRefine(({ segments, computeHours, wallHours }, ctx) => {
    let previousMs = Number.NEGATIVE_INFINITY;
    for (const [i, { beginMs, lastSeenMs }] of segments.entries()) {
      if (beginMs < previousMs) {
        ctx.addIssue({
          code: "custom",
          path: ["segments", i, "begin"],
          message: "is before the last segment's end",
        });
      }
      if (lastSeenMs < beginMs) {
        ctx.addIssue({ code: "custom", path: ["segments", i, "last_seen"], message: "is before its begin" });
      }
      previousMs = lastSeenMs;
    }
    if (wallHours < computeHours) {
      ctx.addIssue({ code: "custom", path: ["wall_hours"], message: "is less than compute_hours" });
    }
  });

const TraceFile = z.array(tracedJob).min(1).max(mostJobs);

export type TracedJob = z.infer<typeof tracedJob>;
export type Segment = TracedJob["segments"][number];

/** What is wrong with the file, by field. */
export class BadTraceFile extends Error {}

export function parseTraces(text: string): TracedJob[] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new BadTraceFile(`is no JSON: ${error instanceof Error ? error.message : error}`);
  }
  const parsed = TraceFile.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new BadTraceFile(`${fieldName(issue?.path ?? [])}: ${issue?.message}`);
}

export function readTraces(path: string): TracedJob[] {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    throw new BadTraceFile(`${path} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  try {
    return parseTraces(text);
  } catch (error) {
    if (error instanceof BadTraceFile) throw new BadTraceFile(`${path}: ${error.message}`);
    throw error;
  }
}

/** [3, "segments", 0, "begin"] → "[3].segments[0].begin". */
function fieldName(path: PropertyKey[]): string {
  const name = path
    .map((part) => (typeof part === "number" ? `[${part}]` : `.${String(part)}`))
    .join("")
    .replace(/^\./, "");
  return name || "the file";
}
