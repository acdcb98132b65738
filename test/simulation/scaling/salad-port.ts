/** The simulated SaladCloud as the autoscaler asks it, in virtual time: over a line that takes its time, with a limit on requests, and failing now and then. */
import type { SaladAnswer, SaladGroup, SaladPlace } from "../../../src/salad/client.ts";
import type { SaladPort } from "../../../src/scaling/ports.ts";
import type { Cloud } from "../../salad/cloud.ts";
import {
  countsOf,
  patchGroup,
  type Refused,
  startGroup,
  statusOf,
  stopGroup,
} from "../../salad/group-calls.ts";
import type { Group } from "../../salad/groups.ts";
import { move } from "../../salad/moves.ts";
import { second } from "../scenario.ts";
import type { Random } from "../world/random.ts";
import type { Schedule } from "../world/schedule.ts";

/** How long the shipped client waits for an answer. */
const clientTimeoutMs = 10 * second;
const key = "the deployment's key";

export class VirtualSaladPort implements SaladPort {
  requests = 0;
  /** Refused for their number. */
  tooMany = 0;
  /** Failed otherwise. */
  failed = 0;
  readonly #cloud: Cloud;
  readonly #schedule: Schedule;
  readonly #random: Random;
  readonly #changed: () => void;
  readonly #faultShare: number;

  /** `changed`: after whatever may have changed something. */
  constructor(world: {
    cloud: Cloud;
    schedule: Schedule;
    random: Random;
    faultShare: number;
    changed: () => void;
  }) {
    this.#cloud = world.cloud;
    this.#schedule = world.schedule;
    this.#random = world.random;
    this.#faultShare = world.faultShare;
    this.#changed = world.changed;
  }

  getGroup(place: SaladPlace) {
    return this.#ask((cloud) =>
      this.#of(place, (group) => ({
        ok: true,
        value: asGroup(cloud, group),
      })),
    );
  }

  listGroups({ organization, project }: SaladPlace) {
    return this.#ask((cloud): SaladAnswer<SaladGroup[]> => {
      if (!cloud.accounts.organization(organization)) return { ok: false, reason: "refused", status: 404 };
      const groups = cloud.groups.ofProject(organization, project);
      return { ok: true, value: groups.map((group) => asGroup(cloud, group)) };
    });
  }

  listInstances(place: SaladPlace) {
    return this.#ask((cloud) =>
      this.#of(place, (group) => ({
        ok: true,
        value: cloud.instances.of(group).map((instance) => ({
          id: instance.id,
          machineId: instance.machineId,
          state: cloud.instances.stateOf(instance),
          deletionCost: instance.deletionCost,
        })),
      })),
    );
  }

  setReplicas(place: SaladPlace, replicas: number) {
    return this.#ask((cloud) => this.#of(place, (group) => changed(patchGroup(cloud, group, { replicas }))));
  }

  startGroup(place: SaladPlace) {
    return this.#ask((cloud) => this.#of(place, (group) => changed(startGroup(cloud, group))));
  }

  stopGroup(place: SaladPlace) {
    return this.#ask((cloud) => this.#of(place, (group) => changed(stopGroup(cloud, group))));
  }

  reallocate(place: SaladPlace, instanceId: string) {
    return this.#ask((cloud) =>
      this.#of(place, (group) => {
        const instance = cloud.instances.of(group).find(({ id }) => id === instanceId);
        if (!instance) return { ok: false, reason: "refused", status: 404 };
        return move(cloud, "reallocate", instance)
          ? { ok: true, value: null }
          : { ok: false, reason: "unavailable", status: 429 };
      }),
    );
  }

  readQuota(organization: string) {
    return this.#ask((cloud): SaladAnswer<{ replicas: number; used: number }> => {
      const known = cloud.accounts.organization(organization);
      if (!known) return { ok: false, reason: "refused", status: 404 };
      const used = cloud.groups.replicasUsed(organization);
      return { ok: true, value: { replicas: known.replicasQuota, used } };
    });
  }

  #of<T>(
    { organization, project, group }: SaladPlace,
    work: (group: Group) => SaladAnswer<T>,
  ): SaladAnswer<T> {
    const found = this.#cloud.groups.find(organization, project, group);
    return found ? work(found) : { ok: false, reason: "refused", status: 404 };
  }

  /** Asked, taken up, answered: three moments. */
  #ask<T>(work: (cloud: Cloud) => SaladAnswer<T>): Promise<SaladAnswer<T>> {
    const random = this.#random;
    const { promise, resolve } = Promise.withResolvers<SaladAnswer<T>>();
    const thereMs = random.between(30, 200);
    const backMs = random.between(30, 400);
    const fault = random.chance(this.#faultShare)
      ? random.pick(["503", "answer lost", "lost"] as const)
      : null;
    const answer = (afterMs: number, told: SaladAnswer<T>) =>
      this.#schedule.after(afterMs, () => {
        this.#schedule.touched = true;
        resolve(told);
      });
    const silence = { ok: false, reason: "unavailable", detail: "no answer within 10 s" } as const;
    this.#schedule.after(thereMs, () => {
      this.requests++;
      const cloud = this.#cloud;
      if (!cloud.requests.admit(key, cloud.requestsPerMinute, cloud.nowMs())) {
        this.tooMany++;
        answer(backMs, { ok: false, reason: "unavailable", status: 429 });
        return;
      }
      if (fault !== null) this.failed++;
      if (fault === "503") {
        answer(backMs, { ok: false, reason: "unavailable", status: 503 });
        return;
      }
      if (fault === "lost") {
        answer(clientTimeoutMs, silence);
        return;
      }
      const told = work(cloud);
      this.#changed();
      if (fault === "answer lost") answer(clientTimeoutMs, silence);
      else answer(backMs, told);
    });
    return promise;
  }
}

const asGroup = (cloud: Cloud, group: Group): SaladGroup => ({
  id: group.id,
  name: group.name,
  replicas: group.replicas,
  status: statusOf(cloud, group),
  instances: countsOf(cloud, group),
});

function changed(refused: Refused): SaladAnswer<null> {
  if (refused === null) return { ok: true, value: null };
  return { ok: false, reason: "rejected", status: 400, detail: refused.refused };
}
