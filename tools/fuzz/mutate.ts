/** Ways to spoil a request that was good. */
import type { Random } from "../../test/simulation/world/random.ts";

export interface Sendable {
  method: string;
  path: string;
  query: [string, string][];
  headers: Record<string, string>;
  body?: string | undefined;
}

/** Texts of JSON, so that they can be what no value is. */
const strangeValues = [
  "null",
  "true",
  "-1",
  "0",
  "1e400",
  "-0",
  "1.5",
  "9007199254740993",
  '""',
  '"\\u0000"',
  '"\\ud800"',
  '"\u{1f415}"',
  "[]",
  "{}",
  '{"__proto__":{"x":1}}',
  "[[[[[[]]]]]]",
  '"../../etc"',
  '"x\\u0000y"',
  "[null]",
  '{"":""}',
];
const strangeTexts = [
  "",
  "%00",
  "%ff",
  "..",
  "\u{1f415}",
  "x".repeat(5000),
  "-1",
  "1e9",
  "null",
  "a,b,,",
  "%F0%9F%92",
  "'",
  "[]",
  "0x10",
];

const bodyMutations: ((body: string, random: Random) => string)[] = [
  (body, random) => replaceValue(body, random, random.pick(strangeValues)),
  (body, random) => replaceValue(body, random, random.pick(strangeValues)),
  (body, random) =>
    replaceValue(body, random, JSON.stringify("x".repeat(random.pick([300, 10_000, 300_000])))),
  (body, random) => replaceValue(body, random, `${"[".repeat(200_000)}${"]".repeat(200_000)}`),
  (body, random) => replaceValue(body, random, `[${Array.from({ length: 2000 }, () => '"x"').join(",")}]`),
  (body, random) => replaceValue(body, random, (value) => garble(value, random)),
  (body, random) => dropField(body, random),
  (body) => body.replace(/^{/, '{"unknown":{"a":[1]},'),
  (body) => `[${body}]`,
  (body, random) => body.slice(0, random.int(0, body.length)),
  () => "",
  () => "null",
  () => '"text"',
  () => "x".repeat(2_000_000),
  (body) => `${body} garbage`,
  () => "\u0000\ufffd",
];

export function mutate(request: Sendable, random: Random): Sendable {
  const ways: (() => Sendable)[] = [
    () => ({
      ...request,
      query: [
        ...request.query,
        [random.pick(["page", "status", "x", "limit", "asc"]), random.pick(strangeTexts)],
      ],
    }),
    () => ({
      ...request,
      query: request.query.map(([name, value]) => [
        name,
        random.chance(0.5) ? random.pick(strangeTexts) : value,
      ]),
    }),
    () => ({
      ...request,
      query: request.query.map(([name, value]) => [name, random.chance(0.3) ? garble(value, random) : value]),
    }),
    () => ({ ...request, query: request.query.slice(1) }),
    () => ({ ...request, query: [...request.query, ...request.query] }),
    () => ({
      ...request,
      path: request.path.replace(/[^/]+$/, () => encodeURIComponent(random.pick(strangeTexts)) || "%00"),
    }),
    () => ({
      ...request,
      path: request.path.replace(
        /\/[^/]+$/,
        () => `/${random.pick(["%00", "%ff", "%2e%2e", "%2F", ".", "x".repeat(3000)])}`,
      ),
    }),
    () => ({ ...request, method: random.pick(["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]) }),
    () => ({
      ...request,
      headers: {
        ...request.headers,
        "Content-Type": random.pick([
          "text/xml",
          "multipart/form-data",
          "",
          "application/json; charset=utf-16",
        ]),
      },
    }),
    () => ({ ...request, headers: { ...request.headers, ...random.pick(strangeHeaders) } }),
  ];
  const { body } = request;
  if (body !== undefined) {
    for (let more = 0; more < 3; more++)
      ways.push(() => ({ ...request, body: random.pick(bodyMutations)(body, random) }));
    ways.push(...ways.slice(-3));
  }
  return random.pick(ways)();
}

const strangeHeaders: Record<string, string>[] = [
  { "X-Kelpie-Key": "wrong" },
  { "X-Kelpie-Key": "" },
  { "X-Kelpie-Key": "", "Salad-Api-Key": "x" },
  { "X-Kelpie-Key": "", Authorization: "Bearer x.y.z", "Salad-Project": "p" },
  { "X-Kelpie-Key": "x".repeat(6000) },
  { Range: "bytes=5-1" },
  { "If-None-Match": "*" },
  { Upgrade: "nothing" },
  { "Idempotency-Key": "\u0001".repeat(0) + "x".repeat(3000) },
];

/** One value of a body, wherever it is. */
function replaceValue(body: string, random: Random, value: string | ((was: string) => string)): string {
  const places = [
    ...body.matchAll(/(?<=[:[,])("(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?|true|false|null)(?=[,\]}])/g),
  ];
  const instead = (was: string) => (typeof value === "string" ? value : value(was));
  if (places.length === 0) return instead("null");
  const place = random.pick(places);
  return `${body.slice(0, place.index)}${instead(place[0])}${body.slice(place.index + place[0].length)}`;
}

/** Nearly what was told: one character is another one, for ids and signatures that are looked up or taken apart. */
function garble(text: string, random: Random): string {
  const places = [...text.matchAll(/[0-9a-z]/gi)];
  if (places.length === 0) return text;
  const { index } = random.pick(places);
  return `${text.slice(0, index)}${random.pick([..."0123456789abcdef"])}${text.slice(index + 1)}`;
}

function dropField(body: string, random: Random): string {
  try {
    const object = JSON.parse(body) as Record<string, unknown>;
    delete object[random.pick(Object.keys(object))];
    return JSON.stringify(object);
  } catch {
    return "{}";
  }
}
