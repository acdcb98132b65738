/** What people are told of a log: its end by lines, or what follows a position. Bounded in bytes and in parts. */
import { limits } from "../../contract/index.ts";
import { inParallel } from "../in-parallel.ts";
import { lastParts } from "./last-parts.ts";
import { type KeptLog, type LogPart, partsBehind } from "./parts.ts";

export interface LogText {
  bytes: Uint8Array;
  /** Where it begins in the log. */
  offset: number;
  /** Where it ends: what comes next begins here. */
  next: number;
}

/** Parts that are read together, from the end, until there are lines enough. */
const partsAtOnce = 24;
const newline = 0x0a;

/** The last lines of a log. */
export async function readTail(log: KeptLog, lines: number): Promise<LogText> {
  const parts = await lastParts(log);
  let text: LogText | undefined;
  for (let end = parts.length; end > 0; end -= partsAtOnce) {
    const before = await readParts(log, parts.slice(Math.max(0, end - partsAtOnce), end));
    text = text ? joined(before, text) : before;
    const start = startOfLastLines(text.bytes, lines);
    if (start > 0) return fromByte(text, start);
  }
  return text ?? { bytes: new Uint8Array(), offset: 0, next: 0 };
}

/** What follows a position; empty at the log's end. */
export async function readAfter(log: KeptLog, position: number): Promise<LogText> {
  const { parts } = await partsBehind(log, position, limits.logAnswerChunks);
  const first = parts[0];
  if (!first) return { bytes: new Uint8Array(), offset: position, next: position };
  const fits = parts.filter(({ end }) => end - first.start <= limits.logAnswerBytes);
  const text = await readParts(log, fits);
  return fromByte(text, Math.max(0, position - text.offset));
}

/** Parts follow each other without a gap. One that is gone by now was removed with its job: the text ends before it. */
async function readParts({ bucket }: KeptLog, parts: LogPart[]): Promise<LogText> {
  const read = await inParallel(parts, async ({ key }) => (await bucket.get(key))?.bytes());
  const offset = parts[0]?.start ?? 0;
  const gone = read.indexOf(undefined);
  const there = read.slice(0, gone === -1 ? read.length : gone) as Uint8Array[];
  const bytes = concatenated(there);
  return { bytes, offset, next: offset + bytes.length };
}

/** The index at which the last `lines` lines begin; 0 when there are no more than that. */
function startOfLastLines(bytes: Uint8Array, lines: number): number {
  // The newline that ends the last line begins no other.
  let at = bytes.length - 1;
  for (let found = 0; found < lines && at >= 0; found++)
    at = at === 0 ? -1 : bytes.lastIndexOf(newline, at - 1);
  return at + 1;
}

function joined(one: LogText, other: LogText): LogText {
  return { bytes: concatenated([one.bytes, other.bytes]), offset: one.offset, next: other.next };
}

function fromByte({ bytes, offset, next }: LogText, start: number): LogText {
  return { bytes: bytes.subarray(start), offset: offset + start, next };
}

function concatenated(parts: Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
