import { expect, test } from "vitest";
import { Environment } from "../src/config.ts";
import { findMisspelt } from "../src/config-doubts.ts";

const known = Object.keys(Environment.shape);

test.each([
  ["KELPIE_SLOT", "KELPIE_SLOTS"],
  ["KELPIE_SLTOS", "KELPIE_SLOTS"],
  ["kelpie_slots", "KELPIE_SLOTS"],
  ["KELPIE_URL", "KELPIE_API_URL"],
  ["KELPIE_LOG_LVL", "KELPIE_LOG_LEVEL"],
  ["KELPIE_LOG_SECOND", "KELPIE_LOG_SECONDS"],
  ["KELPIE_POLL", "KELPIE_POLL_SECONDS"],
  ["KELPIE_STATEFILE", "KELPIE_STATE_FILE"],
])("%s: is %s meant?", (name, meant) => {
  expect(findMisspelt({ [name]: "4" }, known)).toEqual([`${name} is not read: is ${meant} meant?`]);
});

test("what is read, what an image tells its jobs, and what is Salad's or the API's is no business of it", () => {
  const names = [...known, "KELPIE_MODEL", "KELPIE_ADMIN_KEY", "KELPIE_SIGNING_KEY", "KELPIE_VERSION"];
  const salads = ["SALAD_MACHINE_IDS", "SALAD_ORGANISATION_NAME", "SLOTS", "MAX_RETRY"];
  expect(findMisspelt(Object.fromEntries([...names, ...salads].map((name) => [name, "x"])), known)).toEqual(
    [],
  );
});

test("an agent that is itself a command of an agent is told nothing about what that one gives its commands", () => {
  const given = { KELPIE_JOB_ID: "j", KELPIE_SLOT: "0", KELPIE_RUN_ID: "r", KELPIE_PROGRESS_FILE: "/p" };
  expect(findMisspelt(given, known)).toEqual([]);
});
