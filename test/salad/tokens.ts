/**
 * The identity of instances: tokens that live five minutes, signed with ES256, and the key set that verifies them. Two pairs are published;
 * the older one signs, each is replaced in turn.
 */
import { createHmac, generateKeyPairSync, type KeyObject, randomUUID, sign } from "node:crypto";
import type { TokenWish } from "./controls.ts";

export const tokenLifeSeconds = 300;
/** Salad does not document its issuer; nobody may rely on it. */
const issuer = "https://salad.example";

interface Pair {
  kid: string;
  privateKey: KeyObject;
  publicKey: KeyObject;
}

const newPair = (): Pair => ({
  kid: randomUUID(),
  ...generateKeyPairSync("ec", { namedCurve: "P-256" }),
});

type Entries = Record<string, unknown>;

export class Tokens {
  #older = newPair();
  #newer = newPair();
  /** Never published. */
  readonly #unknown = newPair();

  rotate(): void {
    this.#older = this.#newer;
    this.#newer = newPair();
  }

  keySet(): { keys: Entries[] } {
    const keys = [this.#older, this.#newer].map(({ kid, publicKey }) => ({
      ...publicKey.export({ format: "jwk" }),
      kid,
      use: "sig",
      alg: "ES256",
    }));
    return { keys };
  }

  /** `audience`: the organization's id. Claims that Salad's documentation does not name are left out. */
  mint(wish: TokenWish, audience: string, nowMs: number): string {
    const nowSeconds = Math.floor(nowMs / 1000);
    const claims = replaced(
      {
        iss: issuer,
        sub: wish.machineId,
        aud: audience,
        iat: nowSeconds + (wish.issuedIn ?? 0),
        nbf: nowSeconds + (wish.notBeforeIn ?? 0),
        exp: nowSeconds + (wish.expiresIn ?? tokenLifeSeconds),
        salad_organization_name: wish.organization,
        salad_workload_id: wish.containerGroupId,
      },
      wish.claims,
    );
    const signer = this.#signer(wish.signedBy ?? "older");
    const header = replaced({ alg: signer.alg, typ: "JWT", kid: signer.kid }, wish.header);
    const signed = `${encoded(header)}.${encoded(claims)}`;
    return `${signed}.${signer.sign(signed).toString("base64url")}`;
  }

  #signer(by: NonNullable<TokenWish["signedBy"]>): Signer {
    const older = this.#older;
    switch (by) {
      case "older":
        return ellipticSigner(older);
      case "newer":
        return ellipticSigner(this.#newer);
      case "unknown":
        return ellipticSigner(this.#unknown);
      case "forged":
        return ellipticSigner({ ...this.#unknown, kid: older.kid });
      case "none":
        return { alg: "none", kid: older.kid, sign: () => Buffer.alloc(0) };
      case "hmac": {
        const secret = older.publicKey.export({ format: "pem", type: "spki" });
        return {
          alg: "HS256",
          kid: older.kid,
          sign: (text) => createHmac("sha256", secret).update(text).digest(),
        };
      }
      case "rsa": {
        const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
        return {
          alg: "RS256",
          kid: older.kid,
          sign: (text) => sign("sha256", Buffer.from(text), privateKey),
        };
      }
    }
  }
}

interface Signer {
  alg: string;
  kid: string;
  sign(text: string): Buffer;
}

function ellipticSigner({ kid, privateKey }: Pick<Pair, "kid" | "privateKey">): Signer {
  // JWS wants the two numbers side by side, not DER.
  const key = { key: privateKey, dsaEncoding: "ieee-p1363" } as const;
  return { alg: "ES256", kid, sign: (text) => sign("sha256", Buffer.from(text), key) };
}

function replaced(entries: Entries, changes: Entries = {}): Entries {
  return Object.fromEntries(Object.entries({ ...entries, ...changes }).filter(([, value]) => value !== null));
}

const encoded = (part: Entries) => Buffer.from(JSON.stringify(part)).toString("base64url");
