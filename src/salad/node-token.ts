/**
 * The tokens that SaladCloud's metadata service gives to a node: who it is, signed by Salad. Checks signature, times and claims; what a
 * request says beside the token (project, machine, group) is compared by others.
 */
import { decodeProtectedHeader, errors, jwtVerify } from "jose";
import { z } from "zod";
import { limits } from "../contract/index.ts";
import { isSaladName } from "./names.ts";
import type { KeyAnswer } from "./node-keys.ts";

/** Whom a verified token speaks for. */
export interface NodeIdentity {
  organizationName: string;
  organizationId: string;
  containerGroupId: string;
  machineId: string;
  /** Worthless from then on, leeway included; milliseconds since the epoch. */
  untilMs: number;
}

export type NodeTokenVerdict =
  | { ok: true; node: NodeIdentity }
  | { ok: false; reason: "invalid"; problem: string }
  | { ok: false; reason: "unavailable" };

/** Clocks of Salad and Cloudflare are kept; this is for the way in between. */
const leewaySeconds = 30;
/** Salad documents 1,000 at most. */
const maxTokenChars = 4096;

const Text = z.string().min(1).max(limits.idChars);

const Header = z.object({ alg: z.literal("ES256"), kid: Text });

const Claims = z.object({
  exp: z.number(),
  /** A JWT's audience may be a list. */
  aud: z.union([Text, z.tuple([Text]).transform(([only]) => only)]),
  sub: Text,
  salad_machine_id: Text.optional(),
  salad_organization_id: Text.optional(),
  salad_organization_name: z.string().refine(isSaladName),
  salad_workload_id: Text,
});

export async function verifyNodeToken(
  token: string,
  keyOf: (kid: string) => Promise<KeyAnswer>,
  nowMs: number,
): Promise<NodeTokenVerdict> {
  if (token.length > maxTokenChars) return invalid("is too long");
  const header = headerOf(token);
  if (!header) return invalid("is not signed with ES256 by a key that it names");
  const answer = await keyOf(header.kid);
  if (!answer.ok) {
    return answer.reason === "unavailable"
      ? { ok: false, reason: "unavailable" }
      : invalid("is signed by a key that Salad does not publish");
  }
  const claims = await claimsOf(token, answer.key, nowMs);
  return "problem" in claims ? invalid(claims.problem) : identityOf(claims.payload);
}

const invalid = (problem: string): NodeTokenVerdict => ({ ok: false, reason: "invalid", problem });

function headerOf(token: string): z.infer<typeof Header> | undefined {
  try {
    return Header.safeParse(decodeProtectedHeader(token)).data;
  } catch {
    return undefined;
  }
}

async function claimsOf(
  token: string,
  key: CryptoKey,
  nowMs: number,
): Promise<{ payload: unknown } | { problem: string }> {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: ["ES256"],
      clockTolerance: leewaySeconds,
      currentDate: new Date(nowMs),
    });
    return { payload };
  } catch (error) {
    if (error instanceof errors.JWTExpired) return { problem: "has expired" };
    if (error instanceof errors.JWTClaimValidationFailed)
      return { problem: "is not valid yet, or malformed" };
    if (error instanceof errors.JOSEError) return { problem: "has a wrong signature, or is malformed" };
    throw error;
  }
}

function identityOf(payload: unknown): NodeTokenVerdict {
  const { success, data: claims, error } = Claims.safeParse(payload);
  if (!success) return invalid(`has no proper claim ${error.issues[0]?.path[0]?.toString() ?? ""}`);
  if (claims.salad_organization_id !== undefined && claims.salad_organization_id !== claims.aud) {
    return invalid("names two organizations");
  }
  const node = {
    organizationName: claims.salad_organization_name,
    organizationId: claims.aud,
    containerGroupId: claims.salad_workload_id,
    machineId: claims.salad_machine_id ?? claims.sub,
    untilMs: (claims.exp + leewaySeconds) * 1000,
  };
  return { ok: true, node };
}
