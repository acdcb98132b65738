import type { FuzzReport } from "./run.ts";

/** The statuses of each route as a table, then what must not be. Returns whether there is nothing of that. */
export function printFuzzReport(
  { seed, routes, callers, violations, refused }: FuzzReport,
  say: (line: string) => void,
): boolean {
  const statuses = [...new Set(routes.flatMap(({ byStatus }) => [...byStatus.keys()]))].sort((a, b) => a - b);
  const width = Math.max(5, ...routes.map(({ route }) => route.length));
  const cell = (text: string | number) => String(text).padStart(6);
  say(
    `\n${"route".padEnd(width)}${cell("sent")}${cell("good")}${statuses.map((status) => cell(status)).join("")}`,
  );
  for (const { route, sent, accepted, byStatus } of [...routes].sort((a, b) =>
    a.route < b.route ? -1 : 1,
  )) {
    const share = `${Math.round((accepted / sent) * 100)}%`;
    const counted = statuses.map((status) => cell(byStatus.get(status) ?? "·"));
    say(`${route.padEnd(width)}${cell(sent)}${cell(share)}${counted.join("")}`);
  }
  say("");
  for (const { role, sent, accepted } of callers)
    say(`${sent} requests of a${role === "admin" ? "n" : ""} ${role}, ${accepted} accepted`);
  say(`${refused} refused requests left nothing that a list shows, unless it says so below.`);
  for (const violation of violations) say(`✗ ${violation}`);
  say(violations.length === 0 ? "No promise was broken." : `seed ${seed} replays this.`);
  return violations.length === 0;
}
