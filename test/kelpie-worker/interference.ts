/** Stands between a worker and the API, and does to each request what it is told to. */
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

/** `lose answer`: the API has heard it, its answer never arrives. `cut off`: the API hears nothing. */
export type Interference = "none" | "lose answer" | "cut off";

export async function interfere(apiUrl: string, decide: (path: string) => Interference) {
  /** What was done to requests, by the end of their path. */
  const done: { path: string; interference: Interference; status?: number }[] = [];
  const server = createServer(async (near, answer) => {
    const path = near.url ?? "";
    const body = near.method === "GET" ? undefined : await buffer(near);
    const interference = decide(path);
    if (interference === "cut off") {
      done.push({ path, interference });
      answer.destroy();
      return;
    }
    const headers = { "X-Kelpie-Key": String(near.headers["x-kelpie-key"] ?? "") };
    const far = await fetch(apiUrl + path, { method: near.method, headers, body });
    const text = await far.text();
    done.push({ path, interference, status: far.status });
    if (interference === "lose answer") answer.destroy();
    else answer.writeHead(far.status, { "Content-Type": "application/json" }).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    done,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
