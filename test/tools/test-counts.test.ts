import { describe, expect, it } from "vitest";
import { countTests } from "../../tools/test-counts.ts";

const file = (status: string, ...tests: string[]) => ({
  status,
  assertionResults: tests.map((test) => ({ status: test })),
});

describe("countTests", () => {
  it("counts passed and failed tests, skipped ones as neither", () => {
    const testResults = [file("passed", "passed", "passed", "pending"), file("failed", "passed", "failed")];
    expect(countTests({ success: false, testResults })).toEqual({ passed: 3, failed: 1 });
  });

  it("counts a file that did not load as one failure", () => {
    expect(countTests({ success: false, testResults: [file("passed", "passed"), file("failed")] })).toEqual({
      passed: 1,
      failed: 1,
    });
  });

  it("never says all is well of a run that was not", () => {
    expect(countTests({ success: false, testResults: [file("passed", "passed")] })).toEqual({
      passed: 1,
      failed: 1,
    });
  });
});
