/** One call of Salad's public API: bounded in time and bytes, its answer checked, its failure a value. Never retried here. */

import { z } from "zod";
import { parseJson } from "../http/parse-json.ts";
import { readTextAtMost } from "../http/read-text.ts";
import { reasonOf, type SaladAnswer, type SaladRefusal, unavailable } from "./answer.ts";

/** Whose access a call uses: the caller's own key, or the deployment's. */
export interface SaladAccess {
  /** Without a final slash. */
  apiUrl: string;
  /** Not empty. */
  apiKey: string;
}

/** From sending the request to the last byte of the answer. */
const timeoutMs = 10_000;
/** A list of 100 groups, each with some 80 kB of command, environment and readme. */
const answerBytes = 8 * 1024 * 1024;
/** An error is a few lines of JSON. */
const errorBytes = 64 * 1024;
const detailChars = 300;

/** RFC 9457, of which Salad's specification requires nothing. */
const Problem = z.object({ title: z.string().nullish(), detail: z.string().nullish() });

/** GETs `path` (with its slash, of names already checked) and expects a 200 with JSON of that schema. */
export async function getFromSalad<Schema extends z.ZodType>(
  access: SaladAccess,
  path: string,
  schema: Schema,
): Promise<SaladAnswer<z.infer<Schema>>> {
  const request = { method: "GET", headers: { Accept: "application/json" } };
  return await call(access, path, request, (status, text, isHtml) => {
    if (status !== 200) return null;
    if (text === null) return unavailable(`an answer of more than ${answerBytes} bytes`, status);
    return parsed(text, isHtml, schema);
  });
}

/** Asks for a change and expects a 200 or 202, whose body says nothing that the next GET would not. `unavailable` leaves open whether it was made. */
export async function changeAtSalad(
  access: SaladAccess,
  method: "POST" | "PATCH",
  path: string,
  mergePatch?: Record<string, unknown>,
): Promise<SaladAnswer<null>> {
  const body =
    mergePatch === undefined
      ? {}
      : {
          body: JSON.stringify(mergePatch),
          // The only type of body that Salad documents for it.
          headers: { "Content-Type": "application/merge-patch+json" },
        };
  return await call(access, path, { method, ...body }, (status, _text, isHtml) =>
    status !== 200 && status !== 202
      ? null
      : isHtml
        ? unavailable(`${status} with HTML`, status)
        : { ok: true, value: null },
  );
}

/** `successOf`: what a status with that text means; null: it is an error. */
async function call<T>(
  { apiUrl, apiKey }: SaladAccess,
  path: string,
  { headers, ...request }: { method: string; body?: string; headers?: Record<string, string> },
  successOf: (status: number, text: string | null, isHtml: boolean) => SaladAnswer<T> | null,
): Promise<SaladAnswer<T>> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    // A redirect would carry the key to wherever it points.
    const response = await fetch(`${apiUrl}${path}`, {
      ...request,
      headers: { "Salad-Api-Key": apiKey, ...headers },
      redirect: "manual",
      signal,
    });
    const { status } = response;
    const text = await readTextAtMost(response.body, status < 300 ? answerBytes : errorBytes);
    const isHtml = looksLikeHtml(response.headers.get("content-type"), text);
    return successOf(status, text, isHtml) ?? refusalOf(status, isHtml, text, apiKey);
  } catch {
    // What was thrown may quote the request, hence our own words.
    return unavailable(signal.aborted ? `no answer within ${timeoutMs / 1000} s` : "no connection");
  }
}

function parsed<Schema extends z.ZodType>(
  text: string,
  isHtml: boolean,
  schema: Schema,
): SaladAnswer<z.infer<Schema>> {
  const json = parseJson(text);
  if (json === undefined) return unavailable(isHtml ? "HTML" : "not JSON", 200);
  const checked = schema.safeParse(json);
  if (checked.success) return { ok: true, value: checked.data };
  const path = checked.error.issues[0]?.path.map(String).join(".");
  return unavailable(`not what the API documents, at "${path}"`, 200);
}

function refusalOf(status: number, isHtml: boolean, text: string | null, apiKey: string): SaladRefusal {
  const reason = reasonOf(status, isHtml);
  const problem = isHtml || text === null ? undefined : Problem.safeParse(parseJson(text)).data;
  const said = problem?.detail || problem?.title;
  const detail = said
    ? oneLine(said.replaceAll(apiKey, "[key]"))
    : isHtml
      ? `${status} with HTML`
      : undefined;
  return { ok: false, reason, status, ...(detail === undefined ? {} : { detail }) };
}

function looksLikeHtml(contentType: string | null, text: string | null): boolean {
  return /\bhtml\b/i.test(contentType ?? "") || /^\s*</.test(text ?? "");
}

/** Cut, without halves of characters. */
function oneLine(said: string): string {
  return said.slice(0, detailChars).toWellFormed().replaceAll(/\s+/g, " ").trim();
}
