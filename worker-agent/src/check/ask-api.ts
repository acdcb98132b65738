/** Is the API there, and does it take this credential for this node? */
import { AgentIdentity } from "../../../src/contract/index.ts";
import type { ApiClient } from "../api/client.ts";
import type { Answer } from "../api/fault.ts";
import type { Config } from "../config.ts";
import { bodyOf, readTextAtMost } from "../read-text.ts";
import { explainNetwork } from "./explain-network.ts";
import { type Finding, failed, ok } from "./finding.ts";

export const askTimeoutMs = 10_000;
/** Kelpie answers with a dozen. */
const healthBytesMax = 64 * 1024;

/** Signatures of S3 are refused from 15 min on, a node's token from 30 s beyond its 5 min. */
const clockSkewMaxMs = 60_000;

/** `GET /health`, without a credential: what fails here has nothing to do with keys. */
export async function askWhetherReachable(apiUrl: string): Promise<Finding> {
  const where = new URL(apiUrl).origin;
  const startedMs = performance.now();
  try {
    const response = await fetch(`${apiUrl}/health`, {
      redirect: "manual",
      signal: AbortSignal.timeout(askTimeoutMs),
    });
    const body = (await readTextAtMost(bodyOf(response), healthBytesMax)) ?? "";
    const tookMs = performance.now() - startedMs;
    if (response.status !== 200 || !saysOk(body))
      return failed(
        `${apiUrl}/health answered ${response.status} and not as Kelpie does: does KELPIE_API_URL point at the API, or is there a proxy in between?`,
      );
    const skewMs = skewOf(response.headers.get("date"));
    if (skewMs > clockSkewMaxMs)
      return failed(
        `${where} answers, but its clock and this node's are ${(skewMs / 1000).toFixed(0)} s apart: signatures and tokens will be refused; set the node's clock`,
      );
    return ok(`${where} answers in ${tookMs.toFixed(0)} ms`);
  } catch (error) {
    return failed(explainNetwork(error, where, "KELPIE_API_URL"));
  }
}

function saysOk(body: string): boolean {
  try {
    return JSON.parse(body).status === "ok";
  } catch {
    return false;
  }
}

/** Whole seconds are all that the header tells. */
function skewOf(date: string | null): number {
  const theirsMs = Date.parse(date ?? "");
  return Number.isNaN(theirsMs) ? 0 : Math.abs(Date.now() - theirsMs);
}

export interface CredentialFinding {
  finding: Finding;
  /** Whether rules without bucket work at this API; undefined: it does not say. */
  managedStorage?: boolean;
}

/** `GET /agents/me`: changes nothing, claims nothing. */
export async function askWhoWeAre(
  client: ApiClient,
  identity: Config["identity"],
): Promise<CredentialFinding> {
  const answer = await client.call({
    method: "GET",
    path: "/agents/me",
    query: identity,
    answer: AgentIdentity,
    timeoutMs: askTimeoutMs,
  });
  if (!answer.ok) return { finding: explainRefusal(answer) };
  const { role, org_name, managed_storage: managedStorage } = answer.value;
  const whose = org_name === null ? "" : ` of the organization "${org_name}"`;
  if (role === "admin")
    return {
      finding: failed(
        "this is the admin's key: an agent with it gets no user's jobs, and whoever gets hold of this node has everything. Make a token of the role node (POST /users/me/tokens)",
      ),
      managedStorage,
    };
  const broad = role === "user" ? "; one of the role node could do less harm in wrong hands" : "";
  return {
    finding: ok(`accepted: a ${role}'s credential${whose}, group ${identity.container_group_id}${broad}`),
    managedStorage,
  };
}

function explainRefusal(answer: Exclude<Answer<AgentIdentity>, { ok: true }>): Finding {
  switch (answer.status) {
    case 401:
    case 403:
      return failed(
        `refused: ${answer.message}. Look at KELPIE_API_KEY (or SALAD_API_KEY with organization and project), and whether it was revoked`,
      );
    case 404:
      // Strangers get 401 before it: the credential is good.
      return ok("accepted; this API is older than the agent and does not say whose it is");
    default:
      return failed(
        `not answered: ${answer.message}. The agent would try again; look at the API's own state (GET /ready)`,
      );
  }
}
