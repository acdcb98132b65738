/** `npm run simulate -- --scaling`: the day of a seed by the shipped autoscaler, and by the original's policy beside it. */
import { speedAt } from "../../salad/hardware.ts";
import { readTraces } from "../traces/trace-file.ts";
import { documentedChurn, recordedChurn } from "./churn.ts";
import { type DayOptions, simulateDay } from "./day.ts";
import { day } from "./day-plan.ts";
import { dayComplaints, dayTable, ruleInWords } from "./day-table.ts";

interface Given {
  seed: number;
  /** A file of recorded jobs, whose nodes come and go as here. */
  traces?: string | undefined;
  scaleDownCooldown?: DayOptions["scaleDownCooldown"];
  verbose?: boolean | undefined;
}

/** What is wrong with it; empty: nothing. */
export async function runDay(
  { seed, traces, scaleDownCooldown, verbose }: Given,
  print: (line: string) => void,
): Promise<string[]> {
  const churn = traces === undefined ? documentedChurn : recordedChurn(readTraces(traces));
  const tell = verbose ? print : undefined;
  const shipped = await simulateDay({ seed, churn, policy: "shipped", scaleDownCooldown, tell });
  const kelpie = await simulateDay({ seed, churn, policy: "kelpie" });
  const lines = [
    `seed ${seed}: ${shipped.jobs} jobs, in ${day.bursts} bursts of ${day.burstJobs} with ${day.latecomers} latecomers each`,
    `rule: ${ruleInWords(shipped)}`,
    `machines: ${churn.name}`,
    `start-up as documented: half of the instances run after 10 minutes, 80 % after 20, 90 % after 40, all after 80`,
    `speeds: 1 is that GPU at its best; half of the machines at ${speedAt(0.5)} or above, the slowest tenth at ${speedAt(0.1)} and below (assumed)`,
    `least possible = sum of the jobs' run times at speed 1 / jobs per replica: no start-up, no download, no idle or lost moment; at a mean speed: divided by it`,
    "",
    ...dayTable([shipped, kelpie]),
    "",
    `decisions in the history: ${[...shipped.actions].map(([action, count]) => `${action} ${count}`).join(", ")}`,
    `digest ${shipped.digest} (the same seed gives the same)`,
  ];
  for (const line of lines) print(line);
  return dayComplaints(shipped);
}
