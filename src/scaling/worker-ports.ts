import { d1Port } from "../db/prepare.ts";
import { type Bindings, configOf } from "../env.ts";
import { groupAt } from "../group/address.ts";
import { writeLog } from "../log.ts";
import * as client from "../salad/client.ts";
import type { SaladPort, ScalingPorts } from "./ports.ts";
import { deskOf } from "./salad-desk.ts";

/** The Worker's D1, objects and `fetch`. */
export function scalingPorts(env: Bindings): ScalingPorts {
  const { apiUrl, apiKey } = configOf(env).salad;
  const desk = deskOf(env.SALAD_DESK);
  return {
    d1: d1Port(env.DB),
    salad: apiKey === null ? null : saladPort({ apiUrl, apiKey }),
    budget: desk,
    submissions: desk,
    turns: desk,
    rounds: desk,
    group: (key) => groupAt(env.GROUPS, key),
    nowMs: () => Date.now(),
    sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    random: () => Math.random(),
    operationId: () => crypto.randomUUID(),
    log: writeLog,
  };
}

function saladPort(access: client.SaladAccess): SaladPort {
  return {
    getGroup: ({ organization, project, group }) => client.getGroup(access, organization, project, group),
    listGroups: ({ organization, project }) => client.listGroups(access, organization, project),
    listInstances: (place) => client.listInstances(access, place),
    setReplicas: (place, replicas) => client.setReplicas(access, place, replicas),
    startGroup: (place) => client.startGroup(access, place),
    stopGroup: (place) => client.stopGroup(access, place),
    reallocate: (place, instanceId) => client.reallocateInstance(access, place, instanceId),
    readQuota: (organization) => client.readQuota(access, organization),
  };
}
