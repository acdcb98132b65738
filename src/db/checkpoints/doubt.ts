/** What machines could not read of a head, and what follows. Fenced: only the current attempt of a running job doubts. */
import type { Statement } from "../statement.ts";
import { headSeq } from "./series.ts";

export interface DoubtWrite {
  jobId: string;
  prefix: string;
  attempt: number;
  /** The generation in doubt, still the head. */
  headSeq: number;
  machineId: string;
  /** What of it, by its place below the job. */
  object: string;
  nowMs: number;
  /** All that fall with it: the generations that name the object. */
  namedBy: number[];
}

/** A row keeps so many doubts: long before that two of them agree, or the machines are the trouble. */
const mostDoubts = 50;
/** One machine may have bad memory; two that find the same manifest to be nonsense do not. */
const machinesNeeded = 2;

const fence = `${headSeq} IS ?4
  AND EXISTS (SELECT 1 FROM jobs WHERE id = ?1 AND attempt = ?3 AND status = 'running')`;

/**
 * A manifest that is there as it was committed, and is said to be nonsense: noted once per machine and object; once two machines
 * say so, all that name the object are damaged. A repeat changes nothing. Indexes: jobs_id, checkpoints_series, the key of checkpoints.
 */
export function doubtManifest(write: DoubtWrite): Statement[] {
  const { jobId, prefix, attempt, machineId, object } = write;
  return [
    {
      sql: `UPDATE checkpoints SET doubts = json_insert(doubts, '$[#]', json_object('machine', ?5, 'object', ?6))
            WHERE seq = ?4 AND json_array_length(doubts) < ${mostDoubts}
              AND NOT EXISTS (SELECT 1 FROM json_each(doubts)
                WHERE value ->> 'machine' = ?5 AND value ->> 'object' = ?6)
              AND ${fence}`,
      params: [jobId, prefix, attempt, write.headSeq, machineId, object],
    },
    {
      sql: `UPDATE checkpoints SET damaged = ?5 WHERE seq IN (SELECT value FROM json_each(?6)) AND damaged IS NULL
              AND ${fence}
              AND (SELECT COUNT(*) FROM checkpoints head, json_each(head.doubts)
                WHERE head.seq = ?4 AND value ->> 'object' = ?7) >= ${machinesNeeded}`,
      params: [jobId, prefix, attempt, write.headSeq, write.nowMs, JSON.stringify(write.namedBy), object],
    },
  ];
}

/** Not there, or with other bytes, and the API has seen so itself: all that name it are damaged. Indexes as above. */
export function damageSeen(write: DoubtWrite): Statement[] {
  const { jobId, prefix, attempt } = write;
  return [
    {
      sql: `UPDATE checkpoints SET damaged = ?5 WHERE seq IN (SELECT value FROM json_each(?6)) AND damaged IS NULL
              AND ${fence}`,
      params: [jobId, prefix, attempt, write.headSeq, write.nowMs, JSON.stringify(write.namedBy)],
    },
  ];
}
