/** Why no answer came, in words and with what to look at. */
import { reasonOf } from "../log.ts";
import { systemCode } from "../transfer/failures.ts";

const certificateCodes = new Set([
  ...["CERT_HAS_EXPIRED", "CERT_NOT_YET_VALID", "DEPTH_ZERO_SELF_SIGNED_CERT", "SELF_SIGNED_CERT_IN_CHAIN"],
  ...["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "UNABLE_TO_VERIFY_LEAF_SIGNATURE", "ERR_TLS_CERT_ALTNAME_INVALID"],
]);

/** `where`: the host in question; `variable`: the one that names it. */
export function explainNetwork(error: unknown, where: string, variable: string): string {
  const code = codeOf(error);
  if (error instanceof Error && error.name === "TimeoutError")
    return `${where} did not answer in time: is this network allowed to reach it? Does ${variable} name the right host?`;
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return `the name of ${where} cannot be resolved (${code}): look at ${variable}, and at this node's DNS`;
  if (code === "ECONNREFUSED")
    return `nothing listens at ${where} (${code}): look at host and port in ${variable}`;
  if (code !== undefined && certificateCodes.has(code))
    return `the certificate of ${where} is not accepted (${code}): look at ${variable} and this node's clock; an authority of your own goes into NODE_EXTRA_CA_CERTS`;
  return `${where} cannot be reached (${code ?? reasonOf(error)}): look at ${variable}, and at this node's network`;
}

/** fetch wraps what happened once, a connection that was tried at several addresses once more. */
function codeOf(error: unknown): string | undefined {
  for (let at = error, depth = 0; at instanceof Error && depth < 4; depth++) {
    const code = systemCode(at);
    if (code !== undefined) return code;
    at = at.cause ?? (at instanceof AggregateError ? at.errors[0] : undefined);
  }
  return undefined;
}
