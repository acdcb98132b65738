/** One POST to a stranger's server: bounded in time and in what is read of its answer. */
import { legible } from "../contract/text.ts";
import type { Answer } from "../domain/webhook.ts";
import type { WebhookRequest } from "./ports.ts";

/** For everything: connecting, sending, the answer and the start of its body. */
const timeoutMs = 10_000;
/** Of an error's body: enough for people to know it by. */
const readBytes = 1_024;
const saidChars = 200;

/** Never rejects; nothing of the error goes further, which may name the address. */
export async function post({ url, headers, body }: WebhookRequest): Promise<Answer> {
  const signal = AbortSignal.timeout(timeoutMs);
  try {
    const response = await fetch(url, { method: "POST", headers, body, redirect: "manual", signal });
    const { status } = response;
    // The status is the receiver's word: a connection that breaks behind it takes nothing back.
    if (status < 300) {
      // What is left of it would keep the connection busy.
      await response.body?.cancel().catch(() => undefined);
      return { kind: "answered", status, said: "" };
    }
    const said = await beginningOf(response.body).catch(() => "");
    // Who takes 10 s for an error is to be left alone for a while, as if there had been no answer.
    return signal.aborted ? { kind: "timed_out" } : { kind: "answered", status, said };
  } catch {
    return { kind: signal.aborted ? "timed_out" : "unreachable" };
  }
}

async function beginningOf(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const decoder = new TextDecoder();
  let bytes = 0;
  let text = "";
  // Leaving the loop cancels the stream.
  for await (const chunk of body ?? []) {
    text += decoder.decode(chunk.subarray(0, readBytes - bytes), { stream: true });
    bytes += chunk.byteLength;
    if (bytes >= readBytes) break;
  }
  return legible(text, saidChars).replaceAll(/\s+/g, " ").trim();
}
