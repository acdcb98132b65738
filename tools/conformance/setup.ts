/** Vitest's global setup of both conformance projects: whichever begins opens the stage, whichever ends last closes it. */
import type { TestProject } from "vitest/node";
import { openStage, type Stage } from "./stage.ts";

/** The projects load this module once each; the process is what they share. */
const shared = globalThis as { conformanceStage?: { stage: Promise<Stage>; users: number } };

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  shared.conformanceStage ??= { stage: openStage(), users: 0 };
  const { conformanceStage } = shared;
  conformanceStage.users++;
  const stage = await conformanceStage.stage;
  project.provide("conformance", stage.settings);
  return async () => {
    conformanceStage.users--;
    if (conformanceStage.users > 0) return;
    delete shared.conformanceStage;
    await stage.stop();
  };
}
