/** The failure switches: which request goes wrong in which way (controls.ts). */
import { setTimeout as sleep } from "node:timers/promises";
import type { Context, MiddlewareHandler } from "hono";
import type { Fault } from "./controls.ts";
import type { SaladEnv } from "./node-env.ts";
import { problem } from "./problem.ts";

export class Faults {
  readonly #faults: { fault: Fault; left: number }[] = [];

  add(fault: Fault): void {
    this.#faults.push({ fault, left: fault.times ?? Number.POSITIVE_INFINITY });
  }

  clear(): void {
    this.#faults.length = 0;
  }

  /** The first that matches, and one time less of it. */
  take(method: string, path: string, key: string | undefined): Fault | undefined {
    const acting = this.#faults.find(({ fault: { on = {} }, left }) => {
      if (left <= 0) return false;
      if (on.method !== undefined && on.method !== method) return false;
      if (on.path !== undefined && !new RegExp(on.path).test(path)) return false;
      return on.key === undefined || on.key === key;
    });
    if (acting) acting.left -= 1;
    return acting?.fault;
  }
}

/** Lets a fault act before the request takes effect, or after it. */
export function failing(faults: Faults): MiddlewareHandler<SaladEnv> {
  return async (c, next) => {
    const fault = faults.take(c.req.method, c.req.path, c.req.header("salad-api-key"));
    if (!fault) return await next();
    if (fault.kind === "slow") {
      await sleep(fault.delayMs);
      return await next();
    }
    if (fault.applied) await next();
    // Hono keeps an answer that is there already; this one is lost.
    c.res = undefined;
    c.res = await faulty(c, fault);
  };
}

async function faulty(c: Context<SaladEnv>, fault: Exclude<Fault, { kind: "slow" }>): Promise<Response> {
  switch (fault.kind) {
    case "html":
      return new Response(`<!DOCTYPE html><html><body><h1>${fault.status}</h1></body></html>`, {
        status: fault.status,
        headers: { "Content-Type": "text/html; charset=utf-8" },
      });
    case "problem":
      return problem(fault.status);
    case "body":
      return new Response(fault.body, { status: fault.status, headers: fault.headers ?? {} });
    case "hang":
      await gone(c);
      return new Response();
    case "trickle": {
      const { readable, writable } = new TransformStream<Uint8Array>();
      void writable.getWriter().write(new TextEncoder().encode('{"items": ['));
      return new Response(readable, { headers: { "Content-Type": "application/json" } });
    }
    case "reset":
      c.env.incoming.socket.resetAndDestroy();
      return new Response();
  }
}

/** Once the client has given up, or this server stops. */
function gone(c: Context<SaladEnv>): Promise<void> {
  return new Promise((resolve) => void c.env.outgoing.once("close", resolve));
}
