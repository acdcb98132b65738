/** Vitest's JSON report → two numbers. Used by .ci/run, whose last line is "N passed, N failed". */
import { existsSync, readFileSync } from "node:fs";

interface VitestReport {
  success: boolean;
  testResults: { status: string; assertionResults: { status: string }[] }[];
}

/** A file that fails without a failed test (it does not load, a hook throws) counts as one failure. */
export function countTests(report: VitestReport): { passed: number; failed: number } {
  let passed = 0;
  let failed = 0;
  for (const file of report.testResults) {
    const failedHere = file.assertionResults.filter((test) => test.status === "failed").length;
    passed += file.assertionResults.filter((test) => test.status === "passed").length;
    failed += failedHere === 0 && file.status === "failed" ? 1 : failedHere;
  }
  // An error outside of every file still fails the run.
  return { passed, failed: failed === 0 && !report.success ? 1 : failed };
}

if (import.meta.main) {
  const path = process.argv[2] ?? "";
  const counts = existsSync(path)
    ? countTests(JSON.parse(readFileSync(path, "utf8")))
    : { passed: 0, failed: 1 };
  console.log(`${counts.passed} ${counts.failed}`);
}
