/**
 * What the conformance suite is run against: a given API, or one that is started here for it. Two users are made with the admin's
 * key; their open jobs are cleared by the suite itself, file by file.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { Account, OpenApiDocument, Settings } from "../../test/conformance/support/settings.ts";
import { startLocalApi } from "../local-api.ts";
import { introduceTo, startSalad } from "./salad.ts";
import { readTarget, type Target } from "./target.ts";

export interface Stage {
  settings: Settings;
  stop(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const run = crypto.randomUUID().slice(0, 8);
  const target = readTarget(process.env);
  return target ? { settings: await introduce(target, run), stop: async () => undefined } : startStage(run);
}

async function startStage(run: string): Promise<Stage> {
  const directory = mkdtempSync(join(tmpdir(), "kelpie-conformance-"));
  const closing: (() => unknown)[] = [
    () => rmSync(directory, { recursive: true, force: true, maxRetries: 5 }),
  ];
  const stop = async () => {
    for (const close of closing.splice(0).reverse()) await close();
  };
  try {
    const salad = await startSalad();
    closing.push(() => salad.stop());
    const api = await startLocalApi({ persistTo: join(directory, "api"), vars: salad.vars });
    closing.push(() => api.stop());
    const { url, adminKey } = api;
    return {
      settings: await introduce({ url, adminKey, destructive: true, saladUrl: salad.url }, run),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** `run` tells the names of one run from those of another on the same deployment. */
async function introduce(target: Target, run: string): Promise<Settings> {
  const { url, adminKey, destructive, saladUrl } = target;
  return {
    ...{ url, adminKey, destructive },
    reachesUs: /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(new URL(url).hostname),
    alice: await createAccount(target, `conformance-${run}-alice`),
    bob: await createAccount(target, `conformance-${run}-bob`),
    salad: saladUrl === null ? null : await introduceTo(saladUrl, run),
    openapi: await readDocument(url),
  };
}

async function createAccount(target: Target, username: string): Promise<Account> {
  const { id } = await post(target, "/users", { username }, z.object({ id: z.string() }));
  const names = { org_name: username, project_name: "default" };
  const { token } = await post(target, `/users/${id}/token`, names, z.object({ token: z.string() }));
  return { id, username, key: token };
}

async function post<T>(target: Target, path: string, body: unknown, answerAs: z.ZodType<T>): Promise<T> {
  const response = await fetch(`${target.url}${path}`, {
    method: "POST",
    headers: { "X-Kelpie-Key": target.adminKey, "Content-Type": "application/json" },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(60_000),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`POST ${path} with the admin's key answered ${response.status}: ${text}`);
  return answerAs.parse(JSON.parse(text));
}

async function readDocument(url: string): Promise<OpenApiDocument | null> {
  const response = await fetch(`${url}/openapi.json`, { signal: AbortSignal.timeout(60_000) });
  if (response.ok) return (await response.json()) as OpenApiDocument;
  await response.body?.cancel();
  return null;
}
