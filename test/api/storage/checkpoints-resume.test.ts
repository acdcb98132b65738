/** The head that a resume begins with, and what it takes to fall back behind it. */
import { env } from "cloudflare:workers";
import { beforeAll, expect, test, vi } from "vitest";
import type { ErrorBody } from "../../../src/contract/index.ts";
import { newGroup, signUp } from "../http/client.ts";
import { type Agent, begin, type Chunk, claimNext, placeOf, type User } from "./checkpoint-world.ts";

let user: User;
beforeAll(async () => {
  user = await signUp("resumers");
  // Damage is logged as an error; here it is what is wanted.
  vi.spyOn(console, "error").mockImplementation(() => undefined);
});

const lose = (agent: Agent, chunk: Chunk) =>
  env.CHECKPOINTS.delete(`snapshots/${user.id}/${agent.job.id}/${placeOf(chunk)}`);

/** Three generations: the second and third share a chunk, the first has none of it. */
async function threeGenerations(group: string) {
  const agent = await begin(user, group);
  const first = await agent.commits(1, null, [await agent.put(1, "one")]);
  const shared = await agent.put(2, "shared");
  const second = await agent.commits(2, first, [shared]);
  const own = await agent.put(3, "three");
  const third = await agent.commits(3, second, [shared, own]);
  return { agent, first, second, third, shared, own };
}

test("node killed; the next one resumes from the newest generation, whoever committed it", async () => {
  const group = newGroup();
  const { agent, third } = await threeGenerations(group);
  await agent.release();
  const next = await claimNext(user, group, "m2");
  expect((await next.head()).head).toMatchObject(third);
  const fourth = await next.commits(1, third, [await next.put(1, "four")]);
  expect((await next.head()).head).toMatchObject(fourth);
  expect(fourth.attempt).toBe(2);
});

test("machines that lie, or have bad memory, roll nothing back: the API reads the chunk itself, however many say so", async () => {
  const group = newGroup();
  const { agent: first, third, own, shared } = await threeGenerations(group);
  let agent = first;
  for (const machine of ["m2", "m3", "m4"]) {
    for (const chunk of [own, shared]) {
      expect((await agent.doubt(third, chunk, "corrupt")).body).toEqual({ moved: false });
      expect((await agent.doubt(third, chunk, "missing")).body).toEqual({ moved: false });
    }
    await agent.release();
    agent = await claimNext(user, group, machine);
  }
  expect((await agent.head()).head).toMatchObject(third);
  expect((await agent.checkpoints()).map(({ state }) => state)).toEqual(["kept", "kept", "kept"]);
});

test("a chunk has other bytes: the first machine that reads them is believed, since the API reads them too", async () => {
  const { agent, second, third, own } = await threeGenerations(newGroup());
  await env.CHECKPOINTS.put(`${agent.place}/3/${own[2]}`, "x".repeat(own[3]));
  expect((await agent.doubt(third, own, "corrupt")).body).toEqual({ moved: true });
  expect((await agent.head()).head).toMatchObject(second);
  // Its answer was lost: the repeat says the same.
  expect((await agent.doubt(third, own, "corrupt")).body).toEqual({ moved: true });
  expect((await agent.checkpoints()).map(({ state }) => state)).toEqual(["damaged", "kept", "kept"]);
});

test("a manifest has other bytes, or is gone meanwhile: one machine's word is enough", async () => {
  const { agent, first, second, third } = await threeGenerations(newGroup());
  const key = async (generation: number) =>
    `${agent.place}/${generation}/manifest-${(await agent.head()).head?.manifest.sha256}`;
  await env.CHECKPOINTS.put(await key(3), "other");
  expect((await agent.doubt(third, null, "corrupt")).body).toEqual({ moved: true });
  expect((await agent.head()).head).toMatchObject(second);
  await env.CHECKPOINTS.delete(await key(2));
  expect((await agent.doubt(second, null, "corrupt")).body).toEqual({ moved: true });
  expect((await agent.head()).head).toMatchObject(first);
});

test("a manifest as it was committed, said to be nonsense: one machine is not believed, a second one is", async () => {
  const group = newGroup();
  const { agent, second, third } = await threeGenerations(group);
  expect((await agent.doubt(third, null, "corrupt")).body).toEqual({ moved: false });
  expect((await agent.doubt(third, null, "corrupt")).body).toEqual({ moved: false });
  await agent.release();
  const other = await claimNext(user, group, "m2");
  expect((await other.head()).head).toMatchObject(third);
  expect((await other.doubt(third, null, "corrupt")).body).toEqual({ moved: true });
  expect((await other.head()).head).toMatchObject(second);
});

test("a chunk is gone from the storage: one machine's word is enough, and all that name it fall", async () => {
  const { agent, first, third, shared } = await threeGenerations(newGroup());
  expect((await agent.doubt(third, shared, "missing")).body).toEqual({ moved: false });
  await lose(agent, shared);
  expect((await agent.doubt(third, shared, "missing")).body).toEqual({ moved: true });
  expect((await agent.head()).head).toMatchObject(first);
  expect((await agent.checkpoints()).map(({ state }) => state)).toEqual(["damaged", "damaged", "kept"]);
});

test("the manifest is gone: only its own generation falls", async () => {
  const { agent, second, third } = await threeGenerations(newGroup());
  const manifest = (await agent.head()).head?.manifest.sha256;
  await env.CHECKPOINTS.delete(`${agent.place}/3/manifest-${manifest}`);
  expect((await agent.doubt(third, null, "missing")).body).toEqual({ moved: true });
  expect((await agent.head()).head).toMatchObject(second);
});

test("the running attempt's base has lost its manifest: all is sent again, and the next generation stands alone", async () => {
  const { agent, third, shared } = await threeGenerations(newGroup());
  const manifest = (await agent.head()).head?.manifest.sha256;
  await env.CHECKPOINTS.delete(`${agent.place}/3/manifest-${manifest}`);
  const reusing = await agent.manifest(4, third, [shared]);
  expect((await agent.commit(4, third, reusing)).body).toEqual({ committed: false, missing: [shared[2]] });
  await agent.commits(4, third, [await agent.put(4, "shared")]);
});

test("nothing intact is left: the head is null, and said to be lost", async () => {
  const agent = await begin(user, newGroup());
  const chunk = await agent.put(1, "only");
  const only = await agent.commits(1, null, [chunk]);
  await lose(agent, chunk);
  expect((await agent.doubt(only, chunk, "missing")).body).toEqual({ moved: true });
  expect(await agent.head()).toEqual({ head: null, lost: true });
});

test("a doubt about what is no longer the head: ask again", async () => {
  const { agent, first, own } = await threeGenerations(newGroup());
  expect((await agent.doubt(first, own, "corrupt")).body).toEqual({ moved: true });
  expect((await agent.checkpoints()).map(({ state }) => state)).toEqual(["kept", "kept", "kept"]);
});

test("a doubt about a chunk that the head does not name is a 400", async () => {
  const { agent, third, own } = await threeGenerations(newGroup());
  const { status, body } = await agent.doubt<ErrorBody>(third, [1, 1, own[2], 5], "corrupt");
  expect([status, body.field]).toEqual([400, "chunk"]);
});

test("a superseded attempt doubts in vain, even with its lease renewed", async () => {
  const { agent, third, own } = await threeGenerations(newGroup());
  await lose(agent, own);
  await env.DB.prepare("UPDATE jobs SET attempt = 2 WHERE id = ?").bind(agent.job.id).run();
  expect((await agent.doubt(third, own, "missing")).body).toEqual({ moved: false });
  await agent.doubt(third, own, "corrupt");
  const row = await env.DB.prepare(
    "SELECT doubts, damaged FROM checkpoints WHERE job_id = ? AND generation = 3",
  )
    .bind(agent.job.id)
    .first();
  expect(row).toEqual({ doubts: "[]", damaged: null });
});
