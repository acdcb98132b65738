/** What the agent tells of its node, from whatever `nvidia-smi` does. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { NodeFacts } from "../../src/contract/index.ts";
import { factsOf, gpusIn, memoryBytes, readNode } from "../src/node/read-node.ts";
import { slotsOf } from "../src/slots/slot-environment.ts";
import { version } from "../src/version.ts";
import { startAgent } from "./agent-under-test.ts";

/** A disk that never answers, as a network's may do. */
const disk = vi.hoisted(() => ({ hangs: false }));
vi.mock("node:fs/promises", async (original) => {
  const actual = await original<typeof import("node:fs/promises")>();
  const statfs = (path: string) => (disk.hangs ? new Promise<never>(() => {}) : actual.statfs(path));
  return { ...actual, statfs };
});

/** A directory with this `nvidia-smi` in it, or none, before everything else in PATH. */
function withNvidiaSmi(script?: string): string {
  const root = mkdtempSync(join(tmpdir(), "kelpie-node-"));
  onTestFinished(() => rmSync(root, { recursive: true, force: true }));
  mkdirSync(join(root, "bin"));
  if (script !== undefined) {
    writeFileSync(join(root, "bin/nvidia-smi"), `#!/bin/sh\n${script}\n`);
    chmodSync(join(root, "bin/nvidia-smi"), 0o755);
  }
  const path = [join(root, "bin"), script === undefined ? "" : process.env.PATH].filter(Boolean);
  vi.stubEnv("PATH", path.join(delimiter));
  onTestFinished(() => void vi.unstubAllEnvs());
  return root;
}

const minuteMs = 60_000;
const uuid = "GPU-5c2b8a2e-0000-1111-2222-333344445555";

test("GPUs, driver, memory and disk are told with the claim", async () => {
  const root = withNvidiaSmi(`
    if [ "$1" = -L ]; then
      echo "GPU 0: NVIDIA GeForce RTX 4090 (UUID: ${uuid})"; echo "GPU 1: NVIDIA GeForce RTX 4090 (UUID: ${uuid})"
    else echo 570.86.10; echo 570.86.10; fi`);
  const node = await readNode(root, minuteMs);
  expect(node).toEqual({
    gpuCount: 2,
    facts: {
      agent_version: version,
      gpu_model: "NVIDIA GeForce RTX 4090",
      gpu_count: 2,
      driver_version: "570.86.10",
      memory_bytes: expect.any(Number),
      disk_bytes: expect.any(Number),
    },
  });
  expect(node.facts.memory_bytes).toBeGreaterThan(2 ** 20);
  expect(node.facts.disk_bytes).toBeGreaterThan(2 ** 20);
  const agent = await startAgent({ node });
  const claim = await agent.server.until((call) => call.route === "claim");
  expect(claim.route === "claim" && claim.query).toMatchObject(node.facts);
});

test("without nvidia-smi, and with one that fails, its facts are left out", async () => {
  for (const script of [undefined, "echo NVIDIA-SMI has failed; exit 9"]) {
    const root = withNvidiaSmi(script);
    const { facts, gpuCount } = await readNode(root, minuteMs);
    expect(gpuCount).toBe(0);
    expect(Object.keys(facts).sort()).toEqual(["agent_version", "disk_bytes", "memory_bytes"]);
  }
});

test("an nvidia-smi that hangs is left behind; one that never stops talking too", async () => {
  for (const script of ["trap '' TERM; sleep 20 & wait", "yes GPU"]) {
    const root = withNvidiaSmi(script);
    const { facts, gpuCount } = await readNode(root, 1000);
    expect(gpuCount).toBe(0);
    expect(facts.gpu_model).toBeUndefined();
    expect(facts.agent_version).toBe(version);
  }
});

test("a disk that does not answer is left out", async () => {
  disk.hangs = true;
  onTestFinished(() => {
    disk.hangs = false;
  });
  const { facts } = await readNode(withNvidiaSmi(), 200);
  expect(Object.keys(facts).sort()).toEqual(["agent_version", "memory_bytes"]);
});

test("what the list says: one line per GPU, other lines are none", () => {
  const list = `GPU 0: NVIDIA A100 80GB PCIe (UUID: ${uuid})\n  MIG 1g.10gb Device  0: (UUID: MIG-${uuid})\nGPU 1: Tesla T4\r\nno GPU 7: here\n`;
  expect(gpusIn(list)).toEqual(["NVIDIA A100 80GB PCIe", "Tesla T4"]);
  expect(gpusIn("No devices were found\n")).toEqual([]);
});

test("facts that the contract would not take are cut or left out: no claim is refused for them", () => {
  const facts = factsOf({
    agent_version: "1",
    gpu_model: `${"x".repeat(99)}\ud83d\ude00`,
    gpu_count: 5000,
    driver_version: "\0\n",
    memory_bytes: Number.NaN,
    disk_bytes: 1.5,
  });
  expect(NodeFacts.partial().parse(facts)).toEqual(facts);
  expect(Object.keys(facts)).toEqual(["agent_version", "gpu_model"]);
});

test("memory is the container's, where it has a limit", () => {
  expect(memoryBytes(1000, 5000)).toBe(1000);
  expect(memoryBytes(0, 5000)).toBe(5000);
  expect(memoryBytes(2 ** 63, 5000)).toBe(5000);
});

test.each([
  { slots: 1, gpus: 8, shares: [undefined] },
  { slots: 2, gpus: 2, shares: ["0", "1"] },
  { slots: 4, gpus: 8, shares: ["0,1", "2,3", "4,5", "6,7"] },
  { slots: 2, gpus: 3, shares: ["0,1", "2"] },
  { slots: 3, gpus: 8, shares: ["0,1,2", "3,4,5", "6,7"] },
  { slots: 3, gpus: 2, shares: [undefined, undefined, undefined] },
  { slots: 2, gpus: 0, shares: [undefined, undefined] },
])("$slots slots share $gpus GPUs", ({ slots, gpus, shares }) => {
  const directories = { input: "/in", output: "/out", checkpoint: "/check" };
  const made = slotsOf(slots, directories, gpus);
  expect(made.map((slot) => slot.gpus)).toEqual(shares);
  const own =
    slots === 1 ? directories : { input: "/in/slot-0", output: "/out/slot-0", checkpoint: "/check/slot-0" };
  expect(made[0]?.directories).toEqual(own);
});
