/**
 * A SaladCloud for tests and for a person at a keyboard, over real HTTP on this machine: the public API, each instance's metadata service
 * (IMDS), the key set of its tokens. Held against Salad's own specifications by specifications.test.ts. What Salad does not document is chosen
 * to be hard on callers, and said where it is chosen. Faults and everything else that a test arranges: controls.ts.
 */
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { serve } from "@hono/node-server";
import { Hono } from "hono";
import { type Cloud, type CloudOptions, createCloud } from "./cloud.ts";
import type { SeenRequest } from "./controls.ts";
import { failing } from "./faults.ts";
import { controlsOf } from "./local-controls.ts";
import type { SaladEnv } from "./node-env.ts";
import { problem } from "./problem.ts";
import { checkKey } from "./routes/access.ts";
import { containers } from "./routes/containers.ts";
import { control } from "./routes/control.ts";
import { groupInstances } from "./routes/group-instances.ts";
import { imds } from "./routes/imds.ts";
import { organizations } from "./routes/organizations.ts";

const maxSeen = 10_000;

export class SimulatedSalad {
  readonly controls: ReturnType<typeof controlsOf>;
  readonly #server: Server;

  /** `port` 0: any that is free. Listens on this machine alone. */
  static async start({
    port = 0,
    ...options
  }: CloudOptions & { port?: number } = {}): Promise<SimulatedSalad> {
    const cloud = createCloud(options);
    const seen: SeenRequest[] = [];
    const controls = controlsOf(cloud, seen);
    const app = createApp(cloud, controls, seen);
    const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }) as Server;
    await new Promise<void>((resolve, reject) => {
      if (server.listening) resolve();
      server.once("listening", resolve).once("error", reject);
    });
    return new SimulatedSalad(server, controls);
  }

  private constructor(server: Server, controls: ReturnType<typeof controlsOf>) {
    this.#server = server;
    this.controls = controls;
  }

  /** For `controlsAt`. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** `SALAD_API_URL` of the API. */
  get apiUrl(): string {
    return `${this.url}/api/public`;
  }

  /** `SALAD_JWKS_URL` of the API. */
  get jwksUrl(): string {
    return `${this.url}/.well-known/workload-jwks.json`;
  }

  /** `KELPIE_IMDS_URL` of the agent in that instance. */
  imdsUrl(instanceId: string): string {
    return `${this.url}/imds/${instanceId}`;
  }

  /** Does not keep the process alive from now on. */
  unref(): this {
    this.#server.unref();
    return this;
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

const project = "/api/public/organizations/:organization/projects/:project";

function createApp(cloud: Cloud, controls: ReturnType<typeof controlsOf>, seen: SeenRequest[]) {
  const app = new Hono<SaladEnv>();
  app.route("/control", control(controls));

  app.use(async (c, next) => {
    const { method, path } = c.req;
    seen.push({ method, path, key: c.req.header("salad-api-key") ?? null });
    if (seen.length > maxSeen) seen.shift();
    await next();
    cloud.instances.reconcile();
  });
  app.use(failing(cloud.faults));

  app.get("/.well-known/workload-jwks.json", (c) => c.json(cloud.tokens.keySet()));
  app.route("/imds/:instance", imds(cloud));

  app.use(`${project}/*`, checkKey(cloud));
  app.route(`${project}/containers/:group/instances`, groupInstances(cloud));
  app.route(`${project}/containers`, containers(cloud));

  app.use("/api/public/organizations/:organization/*", checkKey(cloud));
  app.route("/api/public/organizations/:organization", organizations(cloud));

  app.notFound(() => problem(404));
  return app;
}
