import { existsSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { openStorage, startContainer } from "../support/container.ts";
import { needSalad, promise } from "../support/promise.ts";
import { until } from "../support/queue.ts";
import { createGroup, deletionCostOf, nodeOf, saladKey } from "../support/salad.ts";
import { settings } from "../support/settings.ts";
import type { Job } from "../support/wire.ts";

promise("7.17", "A node's deletion cost is highest while its last uploads run", () => {
  it("is told to the node's metadata service", async (context) => {
    const salad = needSalad(context);
    const { apiKey, organization, project } = salad;
    const group = await createGroup(salad);
    const node = await nodeOf(salad, group);
    await using storage = await openStorage();
    await using container = startContainer({
      KELPIE_API_URL: settings.url,
      KELPIE_IMDS_URL: node.imdsUrl,
      SALAD_MACHINE_ID: node.machineId,
      SALAD_CONTAINER_GROUP_ID: group.id,
      SALAD_PROJECT_NAME: project,
      AWS_ENDPOINT_URL: storage.url,
      AWS_REGION: "auto",
      AWS_ACCESS_KEY_ID: "any",
      AWS_SECRET_ACCESS_KEY: "any-secret",
    });
    context.onTestFailed(() => console.error(container.log()));
    const person = saladKey(apiKey, organization, project);
    const program = `
      const fs = require("fs");
      fs.writeFileSync("started", "");
      const waiting = setInterval(() => {
        if (!fs.existsSync("go")) return;
        clearInterval(waiting);
        fs.mkdirSync("results", { recursive: true });
        fs.writeFileSync("results/weights", "w");
      }, 20);
    `;
    const after = [{ bucket: "b", prefix: "p/", local_path: "results", direction: "upload" }];
    const submitted = await call<Job>("POST", "/jobs", {
      headers: person,
      body: {
        command: process.execPath,
        arguments: ["-e", program],
        container_group_id: group.id,
        sync: { after },
      },
    });
    expect(submitted.status, submitted.text).toBe(202);
    const status = async () =>
      (await call<Job>("GET", `/jobs/${submitted.body.id}`, { headers: person })).body.status;
    const costBecomes = (what: string, isSo: (cost: number) => boolean) =>
      until(`a deletion cost that is ${what}`, async () => isSo(await deletionCostOf(node)));

    await until("the command's start", async () => existsSync(container.path("started")));
    await costBecomes("above 0 while the command runs", (cost) => cost > 0);
    const running = await deletionCostOf(node);
    writeFileSync(container.path("go"), "");
    await until("an upload", async () => storage.begun.length > 0);
    await costBecomes("higher than before", (cost) => cost > running);
    expect(await deletionCostOf(node)).toBe(100_000);
    expect(await status()).toBe("running");
    storage.open();
    await until("the job's completion", async () => (await status()) === "completed");
    await costBecomes("0 again", (cost) => cost === 0);
  });
});
