/** One request over HTTP, as it is: any method, any path, also an upgrade. Never waits longer than the bound. */
import { Agent, request } from "node:http";
import { request as secureRequest } from "node:https";
import type { Sendable } from "./mutate.ts";

/** The slowest honest request, a page of jobs on a busy machine, takes a few seconds. */
const patienceMs = 30_000;
/** A page of jobs can be long; what is behind this is not needed. */
const maxAnswerChars = 64 * 1024 * 1024;

export interface Answer {
  /** 0: none came. */
  status: number;
  headers: Record<string, string | string[] | undefined>;
  text: string;
  problem?: string;
}

const agent = new Agent({ keepAlive: true, maxSockets: 4 });

export function call(base: string, { method, path, query, headers, body }: Sendable): Promise<Answer> {
  const search = query.length === 0 ? "" : `?${new URLSearchParams(query)}`;
  // Not by way of URL, which resolves "..": what is sent is what was made.
  const { protocol, hostname, port } = new URL(base);
  const isSecure = protocol === "https:";
  return new Promise((resolve) => {
    const fail = (error: Error) => resolve({ status: 0, headers: {}, text: "", problem: error.message });
    const sent = (isSecure ? secureRequest : request)(
      {
        hostname,
        port,
        method,
        path: `${path}${search}`,
        headers: { ...headers, ...(body === undefined ? {} : { "Content-Length": Buffer.byteLength(body) }) },
        ...(isSecure ? {} : { agent }),
        timeout: patienceMs,
      },
      (answer) => {
        let text = "";
        answer.setEncoding("utf8");
        answer.on("data", (piece: string) => {
          if (text.length < maxAnswerChars) text += piece;
        });
        answer.on("end", () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
        answer.on("error", fail);
      },
    );
    sent.on("upgrade", (answer, socket) => {
      socket.destroy();
      resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text: "" });
    });
    sent.on("timeout", () => sent.destroy(new Error(`no answer within ${patienceMs} ms`)));
    sent.on("error", fail);
    sent.end(body);
  });
}
