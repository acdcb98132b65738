#!/usr/bin/env node
/**
 * The agent's first moments. Loading the program takes a good part of a second, and a signal that comes meanwhile must not
 * kill the process: so the handlers are there first, and the program is loaded after them. A static import would not do,
 * since all of a module's imports are loaded before any of them runs. Nor would an await up here: the one-file binary takes
 * CommonJS only.
 */
import { EarlySignals } from "./early-signals.ts";
import { leavePidOne } from "./init.ts";

leavePidOne();
const signals = new EarlySignals();
void import("./program.ts").then(({ run }) => run(process.argv.slice(2), signals));
