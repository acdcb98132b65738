/**
 * `npm run demo`: an API, a dozen jobs, nodes that get killed in the middle of them, and a judge that trusts nobody.
 * Exit code 0 only if every result is right. Whatever happens, Ctrl-C included, nothing is left behind.
 */
import { runToTheEnd } from "../processes/run-to-the-end.ts";
import { Stage } from "./stage.ts";

await runToTheEnd("demo", (directory, interrupted) => new Stage(directory, interrupted));
