/** The replay in aligned lines: efficiencies, where the seconds went, a picture, and what hangs on assumptions. */
import { minute } from "../scenario.ts";
import { type Account, type Category, categories, fromTheTrace } from "./account.ts";
import { complaints, efficiency, type JobReplay, tolerancePoints } from "./replay.ts";
import type { Moved } from "./sensitivity.ts";

export type Print = (line: string) => void;

const percent = (value: number) => value.toFixed(2);
const seconds = (ms: number) => Math.round(ms / 1000).toString();

export function printReplays(replays: JobReplay[], print: Print): void {
  print("Efficiency, % of the wall time (compute hours / wall hours), on the same nodes:\n");
  table(print, [
    ["", "nodes", "", "reproduced", "off by", "", "", "", "saving"],
    ["recording, job", "lost", "recorded", "(its queue)", "(points)", "original", "ours", "bound", "always"],
    ...replays.map((replay) => [
      name(replay),
      String(replay.stays.length - 1),
      percent(replay.recorded),
      percent(replay.reproduced),
      signed(replay.reproduced - replay.recorded),
      ...[replay.original, replay.ours, replay.bound].map((account) => share(replay, account?.wallMs)),
      share(replay, replay.continuousWallMs),
    ]),
    ...summaries(replays),
  ]);
  print("\nSeconds that are no result, by whose they are:\n");
  const queues: Category[] = ["detection", "start", "download"];
  table(print, [
    ["", "the trace's:", "", "", "original:", "", "", "ours:", "", ""],
    ["recording, job", "no node", "lost work", "its app", ...queues, ...queues],
    ...replays.map((replay) => secondsOf(name(replay), [replay], queues)),
    secondsOf(`all ${replays.length}`, replays, queues),
  ]);
  print(
    "\nOurs, one letter per two minutes: n no node, l lost work, a the application's own start and saves, K everything of ours\n",
  );
  for (const replay of replays) print(`${name(replay).padEnd(nameWidth(replays))}  ${picture(replay.ours)}`);
  print("");
  for (const line of conclusions(replays)) print(line);
}

export function printSensitivity(base: Moved, moved: Moved[], print: Print): void {
  print(
    "\nWhat hangs on the assumptions (largest difference from the recording; means of all jobs; detection per lost node):\n",
  );
  table(print, [
    ["", "worst", "mean, %:", "", "", "", "saving", "detection, s:", ""],
    ["", "points", "reproduced", "original", "ours", "bound", "always", "original", "ours"],
    ...[base, ...moved].map((row) => [
      row.name,
      row.worstPoints.toFixed(2),
      ...[row.reproduced, row.original, row.ours, row.bound, row.continuous].map((value) =>
        orNothing(value, 2),
      ),
      orNothing(row.detection.original, 1),
      orNothing(row.detection.ours, 1),
    ]),
  ]);
}

function summaries(replays: JobReplay[]): string[][] {
  const recordedByKelpie = replays.filter(({ queue }) => queue.name === "kelpie");
  const groups: [string, JobReplay[]][] = [[`all ${replays.length}`, replays]];
  if (recordedByKelpie.length > 0 && recordedByKelpie.length < replays.length)
    groups.unshift([`the original's ${recordedByKelpie.length}`, recordedByKelpie]);
  return groups.flatMap(([title, some]) => {
    const columns: ((replay: JobReplay) => number | undefined)[] = [
      ({ recorded }) => recorded,
      ({ reproduced }) => reproduced,
      ({ reproduced, recorded }) => reproduced - recorded,
      ...(["original", "ours", "bound"] as const).map((which) => (replay: JobReplay) => {
        const account = replay[which];
        return account ? efficiency(replay.computeMs, account.wallMs) : undefined;
      }),
      (replay) => efficiency(replay.computeMs, replay.continuousWallMs),
    ];
    const values = columns.map((column) => some.map(column).filter((value) => value !== undefined));
    const lost = some.reduce((sum, { stays }) => sum + stays.length - 1, 0);
    const row = (label: string, count: string, of: (values: number[]) => number) => [
      label,
      count,
      ...values.map((one, i) => (i === 2 ? signed(of(one)) : percent(of(one)))),
    ];
    return [
      row(`${title}: mean`, String(lost), (one) => one.reduce((sum, value) => sum + value, 0) / one.length),
      row("   lowest", "", (one) => Math.min(...one)),
      row("   highest", "", (one) => Math.max(...one)),
    ];
  });
}

function secondsOf(title: string, replays: JobReplay[], queues: Category[]): string[] {
  const sum = (which: "original" | "ours", category: Category) =>
    seconds(replays.reduce((total, replay) => total + (replay[which]?.ms[category] ?? 0), 0));
  return [
    title,
    ...fromTheTrace.map((category) => sum("ours", category)),
    ...queues.map((category) => sum("original", category)),
    ...queues.map((category) => sum("ours", category)),
  ];
}

function conclusions(replays: JobReplay[]): string[] {
  const total = (which: "original" | "ours", some: readonly Category[]) =>
    replays.reduce(
      (sum, replay) => sum + some.reduce((of, category) => of + (replay[which]?.ms[category] ?? 0), 0),
      0,
    );
  const own = categories.filter((category) => !fromTheTrace.includes(category));
  const of = (which: "original" | "ours") =>
    `${which} ${seconds(total(which, own))} s of ${seconds(total(which, categories))} s`;
  const worst = Math.max(...replays.map(({ reproduced, recorded }) => Math.abs(reproduced - recorded)));
  const reportsMs = replays.map(({ engine }) => engine?.reportMs ?? 0);
  const checks = replays.reduce((sum, { engine }) => sum + (engine?.checks ?? 0), 0);
  const complained = complaints(replays);
  return [
    `Not the trace's doing: ${of("original")}; ${of("ours")}. The rest is: where there was no node nothing could run; less lost work takes saving more often (last column).`,
    "Nobody waits for an upload: they run beside the command. One that was under way when its node vanished is lost work.",
    `Not in these wall times, which end with the last step: until "completed" is recorded, ours takes ${(Math.max(...reportsMs) / 1000).toFixed(1)} s at most, the original waits for its next heartbeat, up to 30 s.`,
    `Reproduction: off by ${worst.toFixed(2)} points at most (${tolerancePoints} allowed). When nodes came is read off the recording, so this shows that the model is consistent with it, not that it predicts.`,
    `Invariants checked in ours: ${checks} times, ${complained.length === 0 ? "none broken" : "SEE BELOW"}.`,
  ];
}

function picture(account: Account | null): string {
  if (!account) return "";
  const letters: Record<Category, string> = {
    noNode: "n",
    lost: "l",
    app: "a",
    detection: "K",
    start: "K",
    download: "K",
  };
  let bar = "";
  let shownMs = 0;
  let doneMs = 0;
  for (const category of categories) {
    doneMs += account.ms[category];
    const count = Math.round((doneMs - shownMs) / (2 * minute));
    bar += letters[category].repeat(count);
    shownMs += count * 2 * minute;
  }
  return bar;
}

const name = ({ job }: JobReplay) => `${job.source}, ${job.job}`;
const nameWidth = (replays: JobReplay[]) => Math.max(...replays.map((replay) => name(replay).length));
const share = ({ computeMs }: JobReplay, wallMs: number | undefined) =>
  wallMs === undefined ? "" : percent(efficiency(computeMs, wallMs));
const orNothing = (value: number | null, digits: number) => (value === null ? "" : value.toFixed(digits));
const signed = (value: number) => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(2)}`;

/** The first column to the left, the others to the right. */
function table(print: Print, rows: string[][]): void {
  const widths = rows[0]?.map((_, i) => Math.max(...rows.map((row) => (row[i] ?? "").length))) ?? [];
  for (const row of rows) {
    const cells = row.map((cell, i) =>
      i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0),
    );
    print(cells.join("  ").trimEnd());
  }
}
