import { expect, it } from "vitest";
import { Submissions } from "../../../tools/chaos/submissions.ts";
import type { Client, SubmittedJob } from "../../../tools/local-client.ts";
import { Random } from "../../simulation/world/random.ts";

type Listed = Awaited<ReturnType<Client["jobs"]>>;

const notAsked = () => Promise.reject(new Error("not asked"));

/** An API that says and does what the test wants; it keeps what it has accepted. */
function fakeApi(accept: (jobs: SubmittedJob[]) => "answers" | "takes half, then dies" | "is away") {
  const accepted: Listed = [];
  let calls = 0;
  const client: Client = {
    key: "",
    async submit(jobs) {
      calls += 1;
      const reaction = accept(jobs);
      if (reaction === "is away") throw new Error("refused");
      const taken = reaction === "answers" ? jobs : jobs.slice(0, Math.floor(jobs.length / 2));
      const answers = taken.map((job) => ({ ...job, id: `id-${accepted.push({} as Listed[number])}` }));
      accepted.splice(-answers.length, answers.length, ...(answers as unknown as Listed));
      if (reaction !== "answers") throw new Error("socket hang up");
      return answers as unknown as Listed;
    },
    jobs: async () => accepted,
    job: notAsked,
    cancel: notAsked,
    group: notAsked,
    addScalingRule: notAsked,
    attempts: notAsked,
    checkpoints: notAsked,
    file: notAsked,
    files: notAsked,
    putFile: notAsked,
  };
  return { client, accepted, calls: () => calls };
}

function submissionsTo(client: Client): Submissions {
  return new Submissions({
    client,
    signal: new AbortController().signal,
    random: new Random(1),
    containerGroupId: "g",
    logPath: "log",
    ended: () => 0,
    outstanding: 4,
  });
}

async function runUntil(submissions: Submissions, jobs: number): Promise<void> {
  const enough = new AbortController();
  const running = submissions.run(enough.signal);
  while (submissions.jobs.length < jobs) await new Promise((resolve) => setTimeout(resolve, 5));
  enough.abort();
  await running;
}

it("keeps so many jobs outstanding, each under a name of its own", async () => {
  const { client } = fakeApi(() => "answers");
  const submissions = submissionsTo(client);
  await runUntil(submissions, 4);
  expect(submissions.jobs.map(({ id, name }) => [id, name])).toEqual([
    ["id-1", "sum-0001"],
    ["id-2", "sum-0002"],
    ["id-3", "sum-0003"],
    ["id-4", "sum-0004"],
  ]);
});

it("an API that died over a submission is asked what it took; the rest is submitted under other names", async () => {
  const api = fakeApi(() => (api.calls() === 1 ? "takes half, then dies" : "answers"));
  const submissions = submissionsTo(api.client);
  await runUntil(submissions, 4);
  expect(submissions.jobs.map(({ id, name }) => [id, name])).toEqual([
    ["id-1", "sum-0001"],
    ["id-2", "sum-0002"],
    ["id-3", "sum-0005"],
    ["id-4", "sum-0006"],
  ]);
  expect(api.accepted).toHaveLength(4);
});

it("an API that is away has taken nothing", async () => {
  const api = fakeApi(() => (api.calls() === 1 ? "is away" : "answers"));
  const submissions = submissionsTo(api.client);
  await runUntil(submissions, 4);
  expect(submissions.jobs).toHaveLength(4);
  expect(api.accepted).toHaveLength(4);
});
