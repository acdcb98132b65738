/** The fuzz against an API that is strict about what comes first: it finds out, by the document and the answers alone. */
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Callers } from "../../tools/fuzz/callers.ts";
import { type Document, readDocument } from "../../tools/fuzz/document.ts";
import { Marks } from "../../tools/fuzz/marks.ts";
import { memberNameIn } from "../../tools/fuzz/memory.ts";
import { Player } from "../../tools/fuzz/player.ts";
import { Random } from "../simulation/world/random.ts";

const id = { name: "id", in: "path", required: true, schema: { type: "string" } };
const answer = (properties: object) => ({
  200: { content: { "application/json": { schema: { properties } } } },
});
const body = (required: string[], properties: object) => ({
  content: { "application/json": { schema: { type: "object", required, properties } } },
});
const name = { type: "string", maxLength: 50 };
const paths = {
  "/things": { post: { responses: answer({ id: {} }) } },
  "/things/{id}/end": { post: { parameters: [id], responses: answer({ ended: {} }) } },
  "/things/{id}/retry": { post: { parameters: [id], responses: answer({ ended: {} }) } },
  "/things/{id}/begin": { post: { parameters: [id], responses: answer({ step_id: {} }) } },
  "/things/{id}/begin/finish": {
    post: {
      parameters: [id],
      requestBody: body(["step_id"], { step_id: name }),
      responses: answer({ done: {} }),
    },
  },
  "/things/{id}/url": {
    post: {
      parameters: [id],
      requestBody: body(["method"], { method: { enum: ["GET", "PUT"] } }),
      responses: answer({ method: {}, url: {}, headers: {} }),
    },
  },
  "/bytes": {
    get: {
      parameters: [{ name: "signature", in: "query", required: true, schema: name }],
      responses: answer({}),
    },
  },
};

let server: Server;
let url: string;
beforeEach(async () => {
  const things = new Map<string, { isEnded: boolean; steps: Set<string> }>();
  server = createServer(async (request, response) => {
    const sent = await text(request);
    const at = new URL(request.url ?? "", url);
    const say = (status: number, value: object = {}) => response.writeHead(status).end(JSON.stringify(value));
    if (at.pathname === "/users") return say(201, { id: "user" });
    if (at.pathname === "/users/user/token") return say(201, { id: "token", token: "secret" });
    if (at.pathname === "/things") {
      const fresh = crypto.randomUUID();
      things.set(fresh, { isEnded: false, steps: new Set() });
      return say(200, { id: fresh });
    }
    if (at.pathname === "/bytes") {
      const thing = things.get(at.searchParams.get("signature") ?? "");
      return request.method === "GET" && thing?.isEnded ? say(200) : say(403);
    }
    const [, which = "", what = ""] = /^\/things\/([^/]+)\/(.+)$/.exec(at.pathname) ?? [];
    const thing = things.get(which);
    if (!thing) return say(404);
    switch (what) {
      case "end":
        thing.isEnded = true;
        return say(200, { ended: true });
      case "retry":
        if (!thing.isEnded) return say(409);
        thing.isEnded = false;
        return say(200, { ended: false });
      case "begin": {
        const step = crypto.randomUUID();
        thing.steps.add(step);
        return say(200, { step_id: step });
      }
      case "begin/finish":
        return thing.steps.has(JSON.parse(sent).step_id) ? say(200, { done: true }) : say(409);
      default: {
        const { method } = JSON.parse(sent);
        return say(200, { method, url: `${url}/bytes?signature=${which}`, headers: {} });
      }
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => {
  server.closeAllConnections();
  server.close();
});

/** The accepted ones of so many turns on this route, after others on random ones. */
async function acceptedOf(route: string, turns: number, before = 100): Promise<number> {
  const random = new Random(7);
  const document: Document = readDocument(JSON.stringify({ paths, components: { schemas: {} } }));
  const marks = new Marks(7);
  const callers = new Callers(url, "admin", marks.run, memberNameIn(Object.keys(paths)));
  await callers.renew();
  const stage = { url, document, random, callers, marks, groups: [] };
  const player = new Player({ ...stage, admit: async () => true, judge: async () => undefined });
  const caller = callers.of("admin");
  for (let turn = 0; turn < before; turn++) await player.play(random.pick(document.operations), caller);
  const operation = document.operations.find((each) => each.route === route);
  if (!operation) throw new Error(`no ${route}`);
  let accepted = 0;
  for (let turn = 0; turn < turns; turn++) if ((await player.play(operation, caller)).isAccepted) accepted++;
  return accepted;
}

test("what only a thing that has ended accepts is asked of one, ended for it where none is", async () => {
  expect(await acceptedOf("POST /things/{id}/retry", 40)).toBeGreaterThan(16);
});

test("ids that a request needs are asked for where the document says that they are told", async () => {
  expect(await acceptedOf("POST /things/{id}/begin/finish", 1, 0)).toBe(1);
});

test("what is called by URLs of answers gets one, for its method, of a thing that it is good for", async () => {
  expect(await acceptedOf("GET /bytes", 40)).toBeGreaterThan(16);
});
