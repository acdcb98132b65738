/** What an organization may use, and what it costs. */
import { Hono } from "hono";
import type { Cloud } from "../cloud.ts";
import type { SaladEnv } from "../node-env.ts";
import { problem } from "../problem.ts";

/** Prices are strings. */
const gpuClasses = [
  {
    id: "ed563892-aacd-40f5-80b7-90c9be6c759b",
    name: "RTX 4090 (24 GB)",
    prices: [
      { priority: "high", price: "0.30" },
      { priority: "medium", price: "0.24" },
      { priority: "low", price: "0.20" },
      { priority: "batch", price: "0.16" },
    ],
  },
  {
    id: "65247de0-746f-45c6-8537-650ba613966a",
    name: "RTX 3060 (12 GB)",
    prices: [
      { priority: "high", price: "0.10" },
      { priority: "batch", price: "0.04" },
    ],
  },
];

export function organizations(cloud: Cloud): Hono<SaladEnv> {
  const app = new Hono<SaladEnv>();

  app.get("/quotas", (c) => {
    const organization = cloud.accounts.organization(c.req.param("organization") ?? "");
    if (!organization) return problem(404);
    const { replicasQuota, movesPerMinute, createdMs } = organization;
    return c.json({
      container_groups_quotas: {
        container_replicas_quota: replicasQuota,
        container_replicas_used: cloud.groups.replicasUsed(organization.name),
        max_container_group_reallocations_per_minute: movesPerMinute,
        max_container_group_recreates_per_minute: movesPerMinute,
        max_container_group_restarts_per_minute: movesPerMinute,
      },
      create_time: new Date(createdMs).toISOString(),
      update_time: new Date(createdMs).toISOString(),
    });
  });

  app.get("/gpu-classes", (c) => c.json({ items: gpuClasses }));

  return app;
}
