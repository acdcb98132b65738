/** What a command wrote and told is there when its node is not any more. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Stack, startStack, until } from "./stack.ts";

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack?.stop());

async function logOf(
  id: string,
  query: string,
): Promise<{ status: number; text: string; next: string | null }> {
  const response = await fetch(`${stack.api().url}/jobs/${id}/logs${query}`, {
    headers: { "X-Kelpie-Key": stack.client.key },
  });
  return {
    status: response.status,
    text: await response.text(),
    next: response.headers.get("x-kelpie-log-next"),
  };
}

it("a node is killed; what its command wrote is read afterwards, masked, and followed by what the next one writes", async () => {
  const scene = stack.scene("logs");
  const program = `
    const machine = process.env.SALAD_MACHINE_ID;
    console.log(machine + " has the key " + process.env.SOME_API_KEY);
    console.error("warning of " + machine);
    if (machine === "lost") setInterval(() => {}, 1000);`;
  const { id } = await scene.submit({
    n: 1,
    stepSeconds: 1,
    command: process.execPath,
    arguments: ["-e", program],
    environment: { SOME_API_KEY: "open-sesame" },
    sync: {},
  });
  const lost = scene.agent("lost");
  const ofLost = "lost has the key ***\n";
  await until("the log of a running command", async () => (await logOf(id, "")).text === ofLost, scene);
  await until("the other stream", async () => (await logOf(id, "?stream=stderr")).text !== "", scene);
  await lost.kill();
  expect(await logOf(id, "?attempt=1&stream=stderr")).toMatchObject({ text: "warning of lost\n" });

  scene.agent("other");
  await until(
    "the completion",
    async () => (await stack.client.job(id)).status === "completed",
    scene,
    90_000,
  );
  // The newest attempt, whose log arrived before its end was reported.
  expect(await logOf(id, "")).toMatchObject({ status: 200, text: "other has the key ***\n" });
  const first = await logOf(id, "?attempt=1&after=5");
  expect(first).toMatchObject({ text: ofLost.slice(5), next: String(ofLost.length) });
  expect(await logOf(id, `?attempt=1&after=${first.next}`)).toMatchObject({ text: "" });
});
