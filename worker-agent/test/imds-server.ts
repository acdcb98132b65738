/**
 * The metadata service of one node, over real HTTP and below a path: strict about its header and bodies, as SaladCloud's. Tests
 * await what it was asked and let it fail.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";
import { z } from "zod";

export interface ImdsCall {
  /** "PUT /v1/deletion-cost". */
  what: string;
  body: unknown;
}

/** Not applied: that status; or no answer, at once or never; or whatever text with a 200. */
export type ImdsFault = number | "reset" | "hang" | { text: string };

const bodies: Record<string, z.ZodType> = {
  "/v1/reallocate": z.strictObject({ reason: z.string().min(1).max(1000) }),
  "/v1/deletion-cost": z.strictObject({ deletion_cost: z.int().min(0).max(100_000) }),
};
const routes = new Set([
  "GET /v1/status",
  "GET /v1/token",
  "PUT /v1/deletion-cost",
  "POST /v1/reallocate",
  "POST /v1/recreate",
]);

export class ImdsServer {
  /** All that was asked, refused or not, but for status. */
  readonly calls: ImdsCall[] = [];
  fault: (call: ImdsCall) => ImdsFault | undefined = () => undefined;
  token = "";
  readonly #watchers = new Set<() => void>();
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  static async start(): Promise<ImdsServer> {
    const server = new ImdsServer();
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => server.stop());
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/imds/instance-1`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }

  count(what: string): number {
    return this.calls.filter((call) => call.what === what).length;
  }

  /** Values that the deletion cost was set to, in order. */
  get costs(): number[] {
    return this.calls
      .filter(({ what }) => what === "PUT /v1/deletion-cost")
      .map(({ body }) => (body as { deletion_cost: number }).deletion_cost);
  }

  /** Resolves once this holds. */
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#watchers.add(resolve));
  }

  /** The first such call, past or future. */
  async asked(what: string): Promise<ImdsCall> {
    await this.until(() => this.count(what) > 0);
    return this.calls.find((call) => call.what === what) as ImdsCall;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let text = "";
    for await (const chunk of request) text += chunk;
    const path = (request.url ?? "").replace(/^\/imds\/instance-1/, "");
    const what = `${request.method} ${path}`;
    const call = { what, body: text === "" ? undefined : JSON.parse(text) };
    const fault = this.fault(call);
    const status = typeof fault === "number" ? fault : this.#refusal(request, what, path, call.body);
    if (what !== "GET /v1/status") this.calls.push(call);
    if (fault === "reset") request.socket.destroy();
    else if (fault === "hang") void 0;
    else if (typeof fault === "object") response.end(fault.text);
    else if (status !== undefined) response.writeHead(status).end(JSON.stringify({ status }));
    else if (what === "GET /v1/status") response.end(JSON.stringify({ ready: true, started: true }));
    else if (what === "GET /v1/token") response.end(JSON.stringify({ jwt: this.token }));
    else response.writeHead(204).end();
    for (const watcher of this.#watchers) watcher();
    this.#watchers.clear();
  }

  #refusal(request: IncomingMessage, what: string, path: string, body: unknown): number | undefined {
    if (request.headers.metadata !== "true" || request.headers["x-forwarded-for"]) return 403;
    if (!routes.has(what)) return 404;
    return body === undefined || bodies[path]?.safeParse(body).success ? undefined : 400;
  }
}

/** A token as nodes have it, unsigned. Times in seconds. */
export function tokenOf(claims: {
  iat?: number;
  exp?: number;
  salad_organization_name?: string;
  n?: number;
}) {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  return `${part({ alg: "ES256" })}.${part(claims)}.signature`;
}
