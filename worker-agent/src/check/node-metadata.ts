/** The two questions of `ask-node.ts` over HTTP: without any proxy, which would answer for another node. */
import { Agent, request } from "undici";
import { reasonOf } from "../log.ts";
import type { NodeMetadata } from "./ask-node.ts";

const timeoutMs = 3_000;

/** `url` may have a path. */
export function createNodeMetadata(url: string): NodeMetadata {
  // The global one may go by a proxy (NODE_USE_ENV_PROXY).
  const dispatcher = new Agent({ connect: { timeout: timeoutMs }, maxResponseSize: 16 * 1024 });
  async function ask(path: string) {
    try {
      const { statusCode: status, body } = await request(`${url}${path}`, {
        dispatcher,
        headers: { Metadata: "true" },
        signal: AbortSignal.timeout(timeoutMs),
      });
      const text = await body.text();
      if (status !== 200) return { ok: false as const, status, message: `GET ${path}: ${status}` };
      return { ok: true as const, value: JSON.parse(text) as { jwt?: unknown } };
    } catch (error) {
      return { ok: false as const, message: `GET ${path}: ${reasonOf(error)}` };
    }
  }
  return {
    status: () => ask("/v1/status"),
    async token() {
      const answer = await ask("/v1/token");
      if (!answer.ok) return answer;
      const { jwt } = answer.value;
      return typeof jwt === "string"
        ? { ok: true, value: jwt }
        : { ok: false, message: "GET /v1/token: no jwt" };
    },
  };
}
