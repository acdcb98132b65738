/** Does the node's metadata service (IMDS) answer, and does it tell who this node is? */
import type { Imds } from "../imds/imds.ts";
import { type Finding, failed, ok, skipped } from "./finding.ts";

/** What is asked of it. */
export type NodeMetadata = Pick<Imds, "status" | "token">;

/** `expected`: this looks like a node of SaladCloud, which has such a service. */
export async function askNode(metadata: NodeMetadata, url: string, expected: boolean): Promise<Finding> {
  if (!expected)
    return skipped("not a node of SaladCloud (no SALAD_INSTANCE_ID, no KELPIE_IMDS_URL): nothing to ask");
  const status = await metadata.status();
  if (!status.ok)
    return failed(
      `${url} does not answer as the metadata service does (${status.message}): jobs run, but no other node can be asked for, and without a key there is no credential. A container must reach that address without a proxy`,
    );
  const token = await metadata.token();
  if (!token.ok) return failed(`${url} answers, but gives no token (${token.message})`);
  return ok(`${url} answers and gives a token`);
}
