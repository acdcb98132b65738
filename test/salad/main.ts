/** `npm run salad -- --port N`: the simulated SaladCloud on this machine, until Ctrl-C, with something in it to begin with. */
import { commandLine, whole } from "../../tools/command-line.ts";
import { saladRequestsPerMinute } from "./cloud.ts";
import { SimulatedSalad } from "./simulated-salad.ts";

const { port } = commandLine("salad", "The simulated SaladCloud on this machine, until Ctrl-C")
  .option("--port <N>", "where it listens; 0: any that is free", whole(0, 65_535), 8790)
  .parse()
  .opts<{ port: number }>();

const organization = "acme";
const key = "local-salad-key";
const salad = await SimulatedSalad.start({ port, requestsPerMinute: saladRequestsPerMinute }).catch(
  (error: NodeJS.ErrnoException) => {
    console.error(
      error.code === "EADDRINUSE"
        ? `port ${port} is in use: end what listens there, or take another one with --port`
        : `cannot listen on port ${port}: ${error.message}`,
    );
    return process.exit(1);
  },
);
salad.controls.addOrganization({ name: organization, keys: [key] });
const group = salad.controls.addGroup({ organization, name: "my-group", replicas: 1 });
const [instance] = salad.controls.listInstances({ organization });

console.log(`ready: ${salad.url}
  the API's variables       --var SALAD_API_URL:${salad.apiUrl} --var SALAD_JWKS_URL:${salad.jwksUrl} --var SALAD_API_KEY:${key}
  organization, project     ${organization}, default
  Salad-Api-Key             ${key}
  container group           my-group, ${group.id}
  its instance, machine     ${instance?.id}, ${instance?.machineId}
  IMDS of the instance      ${salad.imdsUrl(instance?.id ?? "")}
  controls                  POST ${salad.url}/control/NAME (test/salad/controls.ts)`);

for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => void salad.stop().then(() => process.exit(0)));
}
