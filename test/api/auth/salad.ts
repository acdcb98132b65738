/** Salad as the API meets it, in place of `fetch`: its list of groups, and the keys that sign the tokens of nodes. */
import { exports } from "cloudflare:workers";
import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { vi } from "vitest";

type Answer = () => Response | Promise<Response>;
interface Group {
  id: string;
  name: string;
}

export const down: Record<string, Answer> = {
  "a 429": () => new Response("{}", { status: 429 }),
  "a 500": () => new Response("{}", { status: 500 }),
  "a firewall's 403 with HTML": () =>
    new Response("<html>no</html>", { status: 403, headers: { "Content-Type": "text/html" } }),
  "no connection": () => Promise.reject(new TypeError("Network connection lost.")),
  "what is not JSON": () => new Response("ok"),
};

export class FakeSalad {
  /** `KEY ORGANIZATION/PROJECT` of each question about a key, in order. */
  readonly questions: string[] = [];
  keyFetches = 0;
  /** Which `KEY ORGANIZATION/PROJECT` are good, with the groups that are there. */
  readonly reach = new Map<string, Group[]>();
  /** What the public API answers instead. */
  trouble: Answer | null = null;
  keys: JWK[] = [];
  keyTrouble: Answer | null = null;
  /** Each trouble is warned of. */
  readonly warnings = vi.spyOn(console, "warn").mockImplementation(() => undefined);
  readonly #fetched: { mockRestore(): void };

  constructor() {
    this.#fetched = vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
      const url = new URL(input instanceof Request ? input.url : input);
      if (url.pathname.endsWith("jwks.json")) {
        this.keyFetches++;
        return this.keyTrouble ? await this.keyTrouble() : Response.json({ keys: this.keys });
      }
      const place = /^\/api\/public\/organizations\/(.+)\/projects\/(.+)\/containers$/.exec(url.pathname);
      if (!place) throw new Error(`asked for ${url}`);
      const question = `${new Headers(init?.headers).get("salad-api-key")} ${place[1]}/${place[2]}`;
      this.questions.push(question);
      if (this.trouble) return await this.trouble();
      const groups = this.reach.get(question);
      if (!groups) return Response.json({ title: "Forbidden" }, { status: 403 });
      const state = { replicas: 1, current_state: { status: "running" } };
      return Response.json({ items: groups.map((group) => ({ ...group, ...state })) });
    });
  }

  stop(): void {
    this.#fetched.mockRestore();
    this.warnings.mockRestore();
  }
}

let organizations = 0;
/** An organization that no other test has. */
export const newOrganization = () => `acme-${++organizations}`;

export const saladHeaders = (key: string, organization: string, project = "default") => ({
  "Salad-Api-Key": key,
  "Salad-Organization": organization,
  "Salad-Project": project,
});

export const nodeHeaders = (token: string, project = "default") => ({
  Authorization: `Bearer ${token}`,
  "Salad-Project": project,
});

/** A pair of keys, the public one as a set of keys names it. */
export async function newSigner(kid: string, alg = "ES256") {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, privateKey, publicJwk: { ...(await exportJWK(publicKey)), kid, alg, use: "sig" } };
}
export type Signer = Awaited<ReturnType<typeof newSigner>>;

export interface Minted {
  organization: string;
  group?: string;
  machine?: string;
  /** Over the claims that Salad gives; `undefined` takes one away. */
  claims?: Record<string, unknown>;
  header?: Record<string, unknown>;
}

/** A token as SaladCloud's metadata service gives to a node. */
export async function mint(
  signer: Pick<Signer, "kid" | "alg" | "privateKey">,
  { organization, group = "group", machine = "m1", claims, header }: Minted,
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const payload = {
    iss: "https://salad.test",
    iat: now,
    nbf: now,
    exp: now + 300,
    aud: `id-of-${organization}`,
    sub: machine,
    salad_machine_id: machine,
    salad_organization_id: `id-of-${organization}`,
    salad_organization_name: organization,
    salad_workload_id: group,
    ...claims,
  };
  return await new SignJWT(JSON.parse(JSON.stringify(payload)))
    .setProtectedHeader({ alg: signer.alg, kid: signer.kid, ...header })
    .sign(signer.privateKey);
}

/** A claim: the smallest call that every credential may make. */
export const workPath = (group = "group", machine = "m1") =>
  `/work?machine_id=${machine}&container_group_id=${group}`;

export const ask = (method: string, path: string, headers: Record<string, string>) =>
  exports.default.fetch(new Request(`https://api.test${path}`, { method, headers }));
