/** Credentials that need the node's token: as the proof itself, or only for the organization's name in it. */
import { type Credentials, fixedCredentials } from "../api/credentials.ts";
import type { Config } from "../config.ts";
import type { NodeToken } from "./node-token.ts";

/** What the API is shown, in the order that the configuration has found (config.ts). */
export function createCredentials(
  { credentials, credentialsFromNode }: Pick<Config, "credentials" | "credentialsFromNode">,
  token: NodeToken,
): Credentials {
  switch (credentialsFromNode) {
    case "none":
      return fixedCredentials(credentials);
    case "token":
      return {
        async headers() {
          const known = await token.get();
          if (!known.ok) return { ok: false, message: `no token of this node: ${known.message}` };
          return { ok: true, headers: { ...credentials, Authorization: `Bearer ${known.value.jwt}` } };
        },
        refused: ({ Authorization = "" }) => token.renew(Authorization.replace(/^Bearer /, "")),
      };
    case "organization": {
      let name: string | undefined;
      return {
        async headers() {
          if (name === undefined) {
            const known = await token.get();
            if (!known.ok)
              return { ok: false, message: `SALAD_ORGANIZATION_NAME is not set, and ${known.message}` };
            name = known.value.organization;
          }
          if (name === undefined)
            return { ok: false, message: "SALAD_ORGANIZATION_NAME is not set, nor in this node's token" };
          return { ok: true, headers: { ...credentials, "Salad-Organization": name } };
        },
        refused: async () => false,
      };
    }
  }
}
