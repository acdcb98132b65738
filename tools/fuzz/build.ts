/** From an operation of the document to a request that it should accept. */
import type { Random } from "../../test/simulation/world/random.ts";
import { contentOf } from "./content.ts";
import { type Operation, resolved } from "./document.ts";
import { type Given, generate } from "./generate.ts";
import type { Facts, Granted } from "./memory.ts";
import type { Sendable } from "./mutate.ts";

export interface Built {
  request: Sendable;
  /** What was asked, by name: it belongs to what the answer tells. */
  asked: Facts;
}

export interface About {
  random: Random;
  schemas: Given["schemas"];
  headers: Record<string, string>;
  /** Stands in all free texts of the request. */
  marker: string;
  /** Ids of container groups that are on SaladCloud; none: they are not known. */
  groups: readonly string[];
  /** What is to be said, by name, before what is known. */
  says: NonNullable<Given["there"]>;
  /** Of the thing that it is about. */
  facts?: Facts | undefined;
  /** The request as an answer has permitted it: nothing else is looked at. */
  granted?: Granted | undefined;
}

export function build(about: About, operation: Operation): Built {
  const { random, schemas, marker, facts, granted } = about;
  if (granted) {
    const size = Number(granted.url.searchParams.get("size") ?? 0);
    const headers = { ...granted.headers };
    for (const name of Object.keys(headers)) if (/^(content-length|host)$/i.test(name)) delete headers[name];
    const query = [...granted.url.searchParams];
    const body = operation.body ? contentOf(Math.min(size, 100_000)) : undefined;
    return { request: { method: operation.method, path: operation.path, query, headers, body }, asked: {} };
  }

  // A group that an answer has told of has its rule already.
  const isNewRule = operation.method === "POST" && operation.path === "/scaling-rules";
  const newGroups: About["says"] =
    isNewRule && about.groups.length > 0 ? { container_group_id: about.groups } : {};
  const there = { ...about.says, ...newGroups };
  const given: Given = { random, schemas, marker, facts, there };
  const asked: Facts = {};
  const query: [string, string][] = [];
  const headers: Record<string, string> = { ...about.headers };
  let path = operation.path;
  for (const parameter of operation.parameters) {
    const { name, fact } = parameter;
    if (!parameter.required && name !== "claim_id" && random.chance(0.6)) continue;
    if (name === "cursor" && random.chance(0.9)) continue;
    const known =
      parameter.in === "path" &&
      resolved(schemas, parameter.schema).enum === undefined &&
      facts?.[name] === undefined
        ? facts?.container_group_id
        : undefined;
    const value = name === "claim_id" ? marker : (known ?? generate(given, parameter.schema, fact));
    asked[fact] = value;
    const text = Array.isArray(value) ? value.join(",") : String(value);
    if (parameter.in === "query") query.push([name, text]);
    else if (parameter.in === "header") headers[name] = text.replaceAll(/[^\x20-\x7e]/g, "?");
    else path = path.replace(`{${name}}`, text.split("/").map(encodeURIComponent).join("/"));
  }
  let body: string | undefined;
  if (operation.body?.json) {
    const value = generate(given, operation.body.json);
    body = JSON.stringify(value);
    if (typeof value === "object" && !Array.isArray(value)) Object.assign(asked, value);
  } else if (operation.body) body = marker.repeat(random.int(0, 20));
  if (operation.responses.has("101")) Object.assign(headers, upgrade);
  return { request: { method: operation.method, path, query, headers, body }, asked };
}

const upgrade = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "Znpfel8xNl9ieXRlc18xMg==",
};
