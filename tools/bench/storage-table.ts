/** What was measured, in words and columns. */

import { median } from "./measure.ts";
import type { Growth } from "./storage-growth.ts";
import type { Copies, Took } from "./storage-rounds.ts";

const unknown = "–";
const mib = (bytes: number) => (Number.isNaN(bytes) ? unknown : (bytes / 1024 ** 2).toFixed(0));
const megabytes = (bytes: number) => (bytes / 1e6).toFixed(2);
const ratio = (value: number) => (Number.isNaN(value) ? unknown : value.toFixed(2));

export function showCopies(rows: Copies[]): void {
  console.log(
    "\ncopies, medians of the rounds; …/rclone: below 1 is less than what rclone took on the S3 endpoint",
  );
  const line = (...[what, mover, ...figures]: string[]) =>
    console.log(
      `${what?.padEnd(32)}${mover?.padEnd(9)}${figures.map((figure) => figure.padStart(13)).join("")}`,
    );
  line("", "storage", "seconds", "time/rclone", "peak MiB", "peak/rclone");
  for (const { what, way, mover, took } of rows) {
    const yard =
      rows.find((row) => row.mover === "rclone" && row.what === what && row.way === way)?.took ?? [];
    line(
      `${what} ${way}`,
      mover,
      median(took.map(({ seconds }) => seconds)).toFixed(1),
      ratio(median(ratios(took, yard, ({ seconds }) => seconds))),
      mib(Math.max(...took.map(({ peakBytes }) => peakBytes))),
      ratio(median(ratios(took, yard, ({ peakBytes }) => peakBytes))),
    );
  }
}

/** Of each round its own. */
function ratios(took: Took[], yard: Took[], of: (took: Took) => number): number[] {
  return yard.flatMap((other, round) => {
    const own = took[round];
    return own ? [of(own) / of(other)] : [];
  });
}

export function showGrowth(rows: Growth[]): void {
  const line = (...[mode, growths, ...figures]: string[]) =>
    console.log(
      `${mode?.padEnd(10)}${growths?.padStart(8)}${figures.map((figure) => figure.padStart(19)).join("")}`,
    );
  const [first] = rows;
  if (!first) return;
  console.log(
    `\na file of ${megabytes(first.beginningBytes)} MB that grows by ${megabytes(first.growthBytes)} MB; MB sent per checkpoint, least to most`,
  );
  line("mode", "growths", "on the wire", "wire/growth", "API's bytes_new", "attempt's all/file", "peak MiB");
  for (const row of rows) {
    const { mode, growthBytes, sentBytes, newBytes, uploadedBytes, peakBytes } = row;
    const fileBytes = row.beginningBytes + sentBytes.length * growthBytes;
    line(
      mode,
      String(sentBytes.length),
      range(sentBytes),
      (sum(sentBytes) / sentBytes.length / growthBytes).toFixed(3),
      // The first generation is the file's first copy.
      newBytes.length > 1 ? range(newBytes.slice(1)) : unknown,
      `${megabytes(uploadedBytes)}/${megabytes(fileBytes)}`,
      mib(peakBytes),
    );
  }
}

const sum = (values: number[]) => values.reduce((all, value) => all + value, 0);
const range = (bytes: number[]) => `${megabytes(Math.min(...bytes))} to ${megabytes(Math.max(...bytes))}`;

export function showResume({ seconds, peakBytes }: Took, bytes: number, plainSecondsPerByte: number): void {
  const perByte = ratio(seconds / bytes / plainSecondsPerByte);
  console.log(
    `\nresume of that snapshot (${megabytes(bytes)} MB): ${seconds.toFixed(1)} s; per byte ${perByte} of the plain download of one file; peak ${mib(peakBytes)} MiB`,
  );
}
