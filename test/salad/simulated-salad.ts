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
import { CloudTimer } from "./cloud-timer.ts";
import type { SeenRequest } from "./controls.ts";
import { failing } from "./faults.ts";
import type { InstanceWatcher } from "./instances.ts";
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

export interface SimulationOptions {
  /** 0: any that is free. */
  port?: number;
  /** Gives instances a life; with one, things happen when they are due. (Default: none, and they are seen to have happened when asked for.) */
  watcher?: (cloud: Cloud) => InstanceWatcher;
}

export class SimulatedSalad {
  readonly controls: ReturnType<typeof controlsOf>;
  /** Its state, for whoever shows or judges it. */
  readonly cloud: Cloud;
  readonly #server: Server;
  readonly #timer: CloudTimer;

  /** `port` 0: any that is free. Listens on this machine alone. */
  static async start({
    port = 0,
    watcher,
    ...options
  }: CloudOptions & SimulationOptions = {}): Promise<SimulatedSalad> {
    const cloud = createCloud(options);
    const timer = new CloudTimer(cloud);
    if (watcher) cloud.instances.watcher = watcher(cloud);
    const seen: SeenRequest[] = [];
    const controls = controlsOf(cloud, seen);
    const look = () => (watcher ? timer.look() : cloud.instances.reconcile());
    const app = createApp(cloud, controls, seen, look);
    const server = serve({ fetch: app.fetch, port, hostname: "127.0.0.1" }) as Server;
    await new Promise<void>((resolve, reject) => {
      if (server.listening) resolve();
      server.once("listening", resolve).once("error", reject);
    });
    look();
    return new SimulatedSalad(server, controls, cloud, timer);
  }

  private constructor(
    server: Server,
    controls: ReturnType<typeof controlsOf>,
    cloud: Cloud,
    timer: CloudTimer,
  ) {
    this.#server = server;
    this.controls = controls;
    this.cloud = cloud;
    this.#timer = timer;
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
    this.#timer.stop();
    const closed = new Promise<void>((resolve) => void this.#server.close(() => resolve()));
    this.#server.closeAllConnections();
    await closed;
  }
}

const project = "/api/public/organizations/:organization/projects/:project";

function createApp(
  cloud: Cloud,
  controls: ReturnType<typeof controlsOf>,
  seen: SeenRequest[],
  look: () => void,
) {
  const app = new Hono<SaladEnv>();
  app.route("/control", control(controls));

  app.use(async (c, next) => {
    const { method, path } = c.req;
    seen.push({ method, path, key: c.req.header("salad-api-key") ?? null });
    if (seen.length > maxSeen) seen.shift();
    await next();
    look();
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
