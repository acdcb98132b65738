/** A verdict each: a log is doctored, and the judge must see it. */
import { describe, expect, it } from "vitest";
import type { Evidence } from "../../../tools/chaos/judge/evidence.ts";
import { brokenPromises, judge, type Verdict } from "../../../tools/chaos/judge/judge.ts";
import { outputKeyOf } from "../../../tools/sum-job.ts";
import {
  checkpointKey,
  claim,
  handOverMs,
  job,
  line,
  put,
  renewal,
  report,
  rightEvidence,
  unanswered,
} from "./evidence.ts";

function judgeAfter(doctor: (evidence: Evidence) => void): Verdict {
  const evidence = rightEvidence();
  doctor(evidence);
  return judge(evidence);
}

/** Everything that was found to be wrong, in words. */
const wrongAfter = (doctor: (evidence: Evidence) => void) => brokenPromises(judgeAfter(doctor));

const lostAfter = (doctor: (evidence: Evidence) => void) => judgeAfter(doctor).lost.map(({ why }) => why);

describe("a run in which every promise was kept", () => {
  it("breaks none, and the zombie's report and renewal are counted as refused", () => {
    const verdict = judge(rightEvidence());
    expect(brokenPromises(verdict)).toEqual([]);
    expect(verdict).toMatchObject({ jobs: 1, completed: 1, endsUnheard: 0 });
    expect(verdict.zombies).toMatchObject({ refusedReports: 1, refusedRenewals: 1, brokenOffWrites: 0 });
  });

  it("counts the step that the zombie computed once more", () => {
    expect(judge(rightEvidence()).steps).toEqual({ needed: 6, computed: 7, twice: 1 });
  });

  it("tells how long a fault was felt: until another node went on, until the API answered again", () => {
    const { recoveries } = judge(rightEvidence());
    expect(recoveries.get("cut")).toEqual({
      injected: 1,
      combined: 0,
      recoveredMs: [handOverMs + 500 - 5500],
      riddenOut: 0,
    });
    expect(recoveries.get("API killed")).toMatchObject({ combined: 1, recoveredMs: [28_005 - 26_500] });
    expect(recoveries.get("frozen")).toMatchObject({ injected: 0, recoveredMs: [] });
  });

  it("a fault that the job's attempt survived was ridden out", () => {
    const { recoveries } = judgeAfter(({ faults }) => {
      faults.push({
        ...{ kind: "frozen", node: "node-2", what: "", combined: false },
        ...{ startMs: 26_000, endMs: 26_900 },
      });
    });
    expect(recoveries.get("frozen")).toMatchObject({ injected: 1, recoveredMs: [], riddenOut: 1 });
  });
});

describe("lost", () => {
  it.each([
    ["no output", undefined, "has no output"],
    ["a wrong sum", '{"n":6,"sum":20}', "its sum is 20, not 21"],
    ["a torn output", '{"n":6,', 'its output is not JSON: {"n":6,'],
  ])("a job with %s", (_, output, why) => {
    const verdict = judgeAfter(({ outputs }) => {
      outputs.delete(job.id);
      if (output !== undefined) outputs.set(job.id, output);
    });
    expect(verdict.lost).toEqual([{ name: job.name, why }]);
    expect(verdict.completed).toBe(0);
  });

  it("a job whose every report of completion was refused, though its output is there", () => {
    expect(
      lostAfter((evidence) => {
        for (const event of evidence.wire) if (event.kind === "report") event.status = 409;
      }),
    ).toEqual(["nobody's report of its end was accepted"]);
  });

  it("a job that nobody ever reported", () => {
    expect(
      lostAfter((evidence) => {
        evidence.wire = evidence.wire.filter(({ kind }) => kind !== "report");
      }),
    ).toEqual(["nobody's report of its end was accepted"]);
  });

  it("not: a job whose only report the API took before it was killed", () => {
    const verdict = judgeAfter((evidence) => {
      evidence.wire = evidence.wire.map((event) =>
        event.kind === "report" && event.node === "node-2" ? unanswered(event) : event,
      );
    });
    expect(brokenPromises(verdict)).toEqual([]);
    expect(verdict.endsUnheard).toBe(1);
  });
});

describe("ended twice", () => {
  it("two attempts whose completion was accepted", () => {
    const { endedTwice } = judgeAfter(({ wire }) => {
      wire.push(report("node-1", 1, 29_300, 200));
    });
    expect(endedTwice).toEqual(["sum-a: attempts 2 and 1 were both recorded as completed"]);
  });

  it("not: the repeat of a report whose answer was lost", () => {
    const doctor = ({ wire }: Evidence) => {
      wire.push(report("node-2", 2, 28_400, 200));
    };
    expect(wrongAfter(doctor)).toEqual([]);
  });

  it("a job that is handed out once more after its end", () => {
    const { endedTwice } = judgeAfter(({ wire }) => {
      wire.push(claim("node-3", 3, 40_000));
    });
    expect(endedTwice).toEqual(["sum-a: handed out to node-3 as attempt 3 after its end"]);
  });

  it("a fault that was counted as the job's own failure", () => {
    const doctor = ({ wire }: Evidence) => {
      wire.push(report("node-1", 1, 20_000, 202, "failed"));
    };
    expect(wrongAfter(doctor)).toEqual(["sum-a: attempt 1 on node-1 was recorded as failed"]);
  });
});

describe("zombie effects let through by the API", () => {
  it("a report that is accepted after the next attempt was granted", () => {
    const doctor = ({ wire }: Evidence) => {
      wire.push(report("node-1", 1, handOverMs + 300, 200, "released"));
    };
    expect(judgeAfter(doctor).zombies.letThrough).toEqual([
      'sum-a: "released" of attempt 1 on node-1 was accepted 300 ms after the next attempt was granted',
    ]);
  });

  it("not: the repeat of a release that the API took before it handed the job on", () => {
    const doctor = ({ wire }: Evidence) => {
      wire.push(unanswered(report("node-1", 1, handOverMs - 2000, 200, "released")));
      wire.push(report("node-1", 1, handOverMs + 300, 200, "released"));
    };
    expect(wrongAfter(doctor)).toEqual([]);
  });

  it("a renewal that is granted to the attempt before", () => {
    const doctor = ({ wire }: Evidence) => {
      wire.push(renewal("node-1", 1, handOverMs + 300, "running"));
    };
    expect(judgeAfter(doctor).zombies.letThrough).toEqual([
      "sum-a: attempt 1 on node-1 was renewed 300 ms after the next attempt was granted",
    ]);
  });

  it("one attempt that two nodes get", () => {
    const doctor = ({ wire }: Evidence) => {
      wire.push(claim("node-3", 2, 25_100));
    };
    expect(judgeAfter(doctor).zombies.letThrough).toEqual(["sum-a: attempt 2 was also given to node-3"]);
  });

  it("not: a claim that is repeated by the node that got its job", () => {
    const doctor = ({ wire }: Evidence) => {
      wire.push(claim("node-2", 2, 25_100));
    };
    expect(wrongAfter(doctor)).toEqual([]);
  });

  it("counts a refusal after a report that the API may have taken and forgotten", () => {
    const { zombies } = judgeAfter(({ wire }) => {
      wire.push(unanswered(report("node-1", 1, 28_500, 200)));
    });
    expect(zombies.refusedReports).toBe(1);
  });

  it("does not count as refused what an attempt hears after an end of its own", () => {
    const { zombies } = judgeAfter(({ wire }) => {
      wire.push(renewal("node-2", 2, 28_100, "canceled"));
      wire.push(report("node-2", 2, 28_200, 409, "released"));
    });
    expect(zombies).toMatchObject({ refusedReports: 1, refusedRenewals: 1 });
  });
});

describe("zombie effects let through to the storage", () => {
  const late = (headMs: number) => put("node-1", checkpointKey(5), headMs);

  it("a write that began after the next attempt was granted", () => {
    const { zombies } = judgeAfter(({ storage }) => {
      storage.push(late(handOverMs + 4000));
    });
    expect(zombies.letThrough).toEqual([
      "PUT checkpoints/sum-a/step-000005.json by node-1 of attempt 1 began 4000 ms after the next attempt was granted",
    ]);
  });

  it("one whose answer nobody saw: it may have happened", () => {
    const { zombies } = judgeAfter(({ storage }) => {
      storage.push({ ...late(handOverMs + 4000), answeredMs: undefined, status: undefined });
    });
    expect(zombies.letThrough).toHaveLength(1);
  });

  it("a delete, and an output", () => {
    const { zombies } = judgeAfter(({ storage }) => {
      storage.push({ ...late(handOverMs + 4000), method: "DELETE", status: 204 });
      storage.push(put("node-1", outputKeyOf(job.name), handOverMs + 4000));
    });
    expect(zombies.letThrough).toHaveLength(2);
  });

  it("a write by a node that never had the job", () => {
    const { zombies } = judgeAfter(({ storage }) => {
      storage.push(put("node-3", checkpointKey(3), 4000));
    });
    expect(zombies.letThrough).toEqual([
      "PUT checkpoints/sum-a/step-000003.json by node-3: it held no attempt of that job",
    ]);
  });

  it("not: one that was under way; it is counted apart when it landed", () => {
    const verdict = judgeAfter(({ storage }) => {
      storage.push({ ...late(handOverMs - 100), bodyMs: handOverMs + 900, answeredMs: handOverMs + 950 });
    });
    expect(brokenPromises(verdict)).toEqual([]);
    expect(verdict.zombies.landedLate).toBe(1);
  });

  it("not: one that the agent broke off, or the storage refused", () => {
    const verdict = judgeAfter(({ storage }) => {
      const { node, method, key, headMs } = late(handOverMs + 4000);
      storage.push({ node, method, key, headMs });
      storage.push({ ...late(handOverMs + 5000), status: 403 });
    });
    expect(brokenPromises(verdict)).toEqual([]);
    expect(verdict.zombies.brokenOffWrites).toBe(1);
  });
});

describe("lost knowledge", () => {
  it("a run that begins before a checkpoint that was saved before its claim", () => {
    const { lostKnowledge } = judgeAfter(({ log }) => {
      const resumed = log.events.find(({ event }) => event === "resume");
      if (resumed) Object.assign(resumed, { step: 2, sum: 3 });
    });
    expect(lostKnowledge).toEqual(["sum-a: node-2 began at step 2, though step 4 had been saved"]);
  });

  it("not: a checkpoint that came after the claim, or was never acknowledged", () => {
    const verdict = judgeAfter(({ log, storage }) => {
      const resumed = log.events.find(({ event }) => event === "resume");
      if (resumed) Object.assign(resumed, { step: 3, sum: 6 });
      const last = storage.find(({ key }) => key === checkpointKey(4));
      if (last) Object.assign(last, { answeredMs: undefined, status: undefined });
    });
    expect(brokenPromises(verdict)).toEqual([]);
  });

  it("a checkpoint that was acknowledged and is gone, or was deleted", () => {
    const { lostKnowledge } = judgeAfter(({ checkpoints, storage }) => {
      checkpoints.delete(checkpointKey(3));
      storage.push({ ...put("node-2", checkpointKey(2), 27_000), method: "DELETE", status: 204 });
    });
    expect(lostKnowledge).toEqual([
      "checkpoints/sum-a/step-000002.json was deleted by node-2",
      "checkpoints/sum-a/step-000003.json was acknowledged and is not there any more",
    ]);
  });

  it("a command that runs on a node that has not claimed the job", () => {
    const { lostKnowledge } = judgeAfter(({ log }) => {
      log.events.push(line("node-3", "start", 0, 30_000));
    });
    expect(lostKnowledge).toEqual(["sum-a: node-3 ran it without having claimed it"]);
  });
});

describe("the jobs' own log", () => {
  it("a wrong sum on the way, a step that nobody computed, an unknown job, a line that is no event", () => {
    const { other } = judgeAfter(({ log }) => {
      const [first] = log.events.splice(1, 1);
      if (first) log.events.push({ ...first, job: "stranger" });
      const second = log.events.find(({ step }) => step === 2);
      if (second) second.sum = 4;
      log.unreadable.push("{half");
    });
    expect(other).toEqual([
      "The log has a line that is no event: {half",
      'The log tells of an unknown job "stranger"',
      "sum-a: on node-1, step at step 2 with sum 4",
      "sum-a: steps that nobody computed: 1",
    ]);
  });
});
