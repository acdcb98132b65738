/** Which machines there are and how long they stay: as recorded, or as SaladCloud's documentation says. */
import { type Hardware, type Line, measuredLines, speedAt } from "../../salad/hardware.ts";
import { hour } from "../scenario.ts";
import type { TracedJob } from "../traces/trace-file.ts";
import type { Random } from "../world/random.ts";

export interface Churn {
  /** For people. */
  name: string;
  /** From when an instance runs until its machine vanishes; infinite: it outlives everything. */
  lifeMs(random: Random): number;
  hardware(random: Random): Hardware;
}

/** No recording tells speeds. */
const speed = (random: Random) => speedAt(random.next());

/** 182 interruptions in 168 hours of 100 instances. */
const documentedMeanMs = 92 * hour;

export const documentedChurn: Churn = {
  name: "no recording: an interruption every 92 h of an instance on average",
  lifeMs: (random) => random.exponential(documentedMeanMs),
  hardware: (random) => ({ line: random.pick(measuredLines), speed: speed(random) }),
};

/**
 * A job's last segment tells only that its machine stayed at least so long. Such a draw goes on with one of those that were seen longer, which
 * is the Kaplan-Meier estimate (Efron: the mass of a censored observation goes to those on its right); with none left, the machine stays.
 */
export function recordedChurn(jobs: readonly TracedJob[]): Churn {
  const stays = jobs.flatMap(staysOf);
  const lines = jobs.flatMap(({ segments }) =>
    segments.map(({ downMbps, upMbps }): Line => ({ downMbps, upMbps })),
  );
  const observedMs = stays.reduce((sum, { ms }) => sum + ms, 0);
  const interruptions = stays.filter(({ ended }) => ended).length;
  return {
    name: `recorded: ${interruptions} interruptions in ${Math.round(observedMs / hour)} h of ${jobs.length} jobs`,
    lifeMs: (random) => {
      let among = stays;
      while (among.length > 0) {
        const stay = random.pick(among);
        if (stay.ended) return stay.ms;
        among = among.filter(({ ms }) => ms > stay.ms);
      }
      return Number.POSITIVE_INFINITY;
    },
    hardware: (random) => ({ line: random.pick(lines), speed: speed(random) }),
  };
}

/** The same machine twice in a row never left: its queue took the job and gave it back. */
function staysOf({ segments }: TracedJob): { ms: number; ended: boolean }[] {
  const stays: { machineId: string; fromMs: number; toMs: number }[] = [];
  for (const { machineId, beginMs, lastSeenMs } of segments) {
    const last = stays.at(-1);
    if (last?.machineId === machineId) last.toMs = lastSeenMs;
    else stays.push({ machineId, fromMs: beginMs, toMs: lastSeenMs });
  }
  return stays.map(({ fromMs, toMs }, i) => ({ ms: toMs - fromMs, ended: i < stays.length - 1 }));
}
