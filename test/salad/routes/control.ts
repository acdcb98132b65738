/** The controls over HTTP. Not part of SaladCloud. */
import { Hono } from "hono";
import type { controlsOf } from "../local-controls.ts";
import type { SaladEnv } from "../node-env.ts";

export function control(controls: ReturnType<typeof controlsOf>): Hono<SaladEnv> {
  const app = new Hono<SaladEnv>();
  const known = new Map<string, (given: never) => unknown>(Object.entries(controls));
  app.post("/:name", async (c) => {
    const run = known.get(c.req.param("name"));
    if (!run) return c.text(`there is no such control; there are ${[...known.keys()].join(", ")}`, 404);
    try {
      const text = await c.req.text();
      const made = run((text === "" ? {} : JSON.parse(text)) as never);
      return made === undefined ? c.body(null, 204) : c.json(made);
    } catch (error) {
      return c.text(String(error), 400);
    }
  });
  return app;
}
