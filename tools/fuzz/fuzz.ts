/**
 * `npm run fuzz -- [--url URL --admin-key KEY] [--requests N] [--seed N]`: good and spoiled requests to every route of the OpenAPI document.
 * Without a URL it starts an API of its own, with a simulated SaladCloud behind it; at a URL no group is known, and no scaling rule is made. Routes that clear everything are left out at a URL, unless `--destructive` is given.
 */
import { parseArgs } from "node:util";
import { localAdminKey } from "../local-api.ts";
import { printFuzzReport } from "./report.ts";
import { runFuzz } from "./run.ts";
import { startFuzzStage } from "./stage.ts";

const options = {
  url: { type: "string" },
  "admin-key": { type: "string", default: localAdminKey },
  requests: { type: "string", default: "20000" },
  seed: { type: "string", default: "1" },
  destructive: { type: "boolean", default: false },
} as const;

function wholeNumberOf(name: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} wants a whole number, not "${text}"`);
  return Number(text);
}

const { values } = parseArgs({ options });
const settings = {
  adminKey: values["admin-key"],
  requests: wholeNumberOf("requests", values.requests),
  seed: wholeNumberOf("seed", values.seed),
  destructive: values.destructive || values.url === undefined,
  tell: (line: string) => console.log(line),
};

if (values.url !== undefined) {
  const report = await runFuzz({ ...settings, url: values.url.replace(/\/+$/, "") });
  process.exitCode = printFuzzReport(report, console.log) ? 0 : 1;
} else {
  const { url, groups, stop } = await startFuzzStage(settings.adminKey);
  try {
    const report = await runFuzz({ ...settings, url, groups });
    process.exitCode = printFuzzReport(report, console.log) ? 0 : 1;
  } finally {
    await stop();
  }
}
