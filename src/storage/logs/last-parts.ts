import { limits } from "../../contract/index.ts";
import { type KeptLog, type LogPart, partsBehind } from "./parts.ts";

/** R2's own bound of one list. */
const pageParts = 1_000;

/**
 * The newest parts of a log, in order: as many as one answer is put together from. Lists only go forwards, so the position behind which
 * there are that many is searched for by halves: one list of a log of up to 1,000 parts, and no more than 27 of the longest.
 */
export async function lastParts(log: KeptLog): Promise<LogPart[]> {
  /** Behind it there are more than one list tells. */
  let tooMany = 0;
  /** Behind it there are too few, or just the right number. */
  let few: { position: number; parts: LogPart[] } = { position: limits.logBytes, parts: [] };
  for (let position = 0; ; position = Math.floor((tooMany + few.position) / 2)) {
    const { parts, whole } = await partsBehind(log, position, pageParts);
    if (!whole) tooMany = position;
    else if (position === 0 || isEnough(parts)) return fitting(parts);
    else few = { position, parts };
    if (few.position - tooMany <= 1) return fitting(few.parts);
  }
}

function isEnough(parts: LogPart[]): boolean {
  const [first, last] = [parts[0], parts.at(-1)];
  if (!first || !last) return false;
  return parts.length >= limits.logAnswerChunks || last.end - first.start >= limits.logAnswerBytes;
}

/** The last of them that one answer has room for. */
function fitting(parts: LogPart[]): LogPart[] {
  const end = parts.at(-1)?.end ?? 0;
  return parts.slice(-limits.logAnswerChunks).filter(({ start }) => end - start <= limits.logAnswerBytes);
}
