import type { Context } from "hono";
import { ApiError } from "../../middleware/api-error.ts";
import type { AppEnv } from "../../middleware/app-env.ts";
import { log } from "../../middleware/log.ts";
import { saladAccessOf } from "../../middleware/salad-access.ts";
import { listGroups, type SaladGroup } from "../../salad/client.ts";
import { deskOf } from "../../scaling/salad-desk.ts";

/** Whoever makes many rules, one after another, is slowed down rather than refused. */
const patienceMs = 3_000;

/**
 * The groups of a project, by Salad's word. 403 without a key or with one that does not reach so far, 503 while Salad cannot tell: that is
 * never taken for a no; nor is it asked with the deployment's key oftener than the autoscaler can spare.
 */
export async function groupsOf(
  c: Context<AppEnv>,
  orgName: string,
  projectName: string,
): Promise<SaladGroup[]> {
  const salad = saladAccessOf(c);
  if (salad === null) {
    throw new ApiError("forbidden", {
      problem:
        "whether the group exists takes a Salad API key: send Salad-Api-Key; this deployment has none (SALAD_API_KEY)",
    });
  }
  // Else one user could have Salad refuse all others, and the autoscaler, by their key's number of requests.
  if (!salad.isCallers && !(await mayAsk(c))) {
    throw new ApiError("unavailable", {
      problem:
        "Salad is asked with the deployment's key too often just now: try again, or send Salad-Api-Key",
    });
  }
  const groups = await listGroups(salad, orgName, projectName);
  if (groups.ok) return groups.value;

  const { reason, status, detail } = groups;
  if (reason !== "refused") {
    log("warning", "salad_group_unverified", { orgName, projectName, reason, status, detail });
    throw new ApiError("unavailable", {
      problem: "Salad does not tell just now whether the group exists, try again",
    });
  }
  // Salad's 404, or names that nothing there can have: then it has no such group either.
  if (status === 404 || status === undefined) return [];
  const whose = salad.isCallers ? "this Salad-Api-Key" : "the deployment's SALAD_API_KEY";
  throw new ApiError("forbidden", {
    problem: `${whose} does not reach ${orgName}/${projectName} on SaladCloud`,
  });
}

/** Waits for a request of the deployment's key; false: there is none soon. Asks twice at most, as whoever evaluates a rule. */
async function mayAsk(c: Context<AppEnv>): Promise<boolean> {
  const desk = deskOf(c.env.SALAD_DESK);
  const taken = await desk.takeForRoute();
  if (taken.ok || taken.waitMs > patienceMs) return taken.ok;
  await new Promise((resolve) => setTimeout(resolve, taken.waitMs));
  return (await desk.takeForRoute()).ok;
}
