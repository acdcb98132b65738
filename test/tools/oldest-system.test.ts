/** What the agent's binary may need of a system; that the real one is judged so is in test/e2e/binary.test.ts. */
import { spawnSync } from "node:child_process";
import { expect, it } from "vitest";
import { readElfNeeds } from "../../tools/agent-build/elf-needs.ts";
import { missingOnOldestSystem, newestVersions } from "../../tools/agent-build/oldest-system.ts";

const libraries = ["libc.so.6", "libstdc++.so.6"];

it("what Debian 10 has is all right, the newest of each too", () => {
  const symbolVersions = ["GLIBC_2.2.5", "GLIBC_2.28", "GLIBCXX_3.4.25", "CXXABI_1.3.11", "GCC_3.0"];
  expect(missingOnOldestSystem({ libraries, symbolVersions })).toEqual([]);
});

it.each([
  "GLIBC_2.29",
  "GLIBC_2.100",
  "GLIBC_3.0",
  "GLIBCXX_3.4.26",
  "CXXABI_1.3.12",
  "GLIBC_ABI_DT_RELR",
  "OPENSSL_3.0",
])("%s is not", (name) => {
  expect(missingOnOldestSystem({ libraries, symbolVersions: ["GLIBC_2.4", name] })).toEqual([name]);
});

it("nor is a library that images lack", () => {
  const needs = { libraries: [...libraries, "libatomic.so.1"], symbolVersions: [] };
  expect(missingOnOldestSystem(needs)).toEqual(["libatomic.so.1"]);
});

it("tells the newest version of each family, by number and not by letter", () => {
  const symbolVersions = ["GLIBC_2.9", "GLIBC_2.28", "GLIBC_2.4", "GLIBCXX_3.4.9", "GLIBCXX_3.4.21"];
  expect(newestVersions({ libraries, symbolVersions })).toEqual(["GLIBC 2.28", "GLIBCXX 3.4.21"]);
});

const readelf = spawnSync("readelf", ["--version"]).status === 0;
const isElf = process.platform === "linux";

it.skipIf(!isElf)("reads of this Node what it needs: a C library, at least", () => {
  const needs = readElfNeeds(process.execPath);
  expect(needs.libraries).toContain("libc.so.6");
  expect(needs.symbolVersions.some((name) => name.startsWith("GLIBC_2."))).toBe(true);
});

it.skipIf(!isElf || !readelf)(`reads what readelf reads${readelf ? "" : " (binutils are not here)"}`, () => {
  const { stdout } = spawnSync("readelf", ["-VdW", process.execPath], { encoding: "utf8", maxBuffer: 1e8 });
  const needs = readElfNeeds(process.execPath);
  const [, versions = ""] = stdout.split("Version needs section");
  const named = [...versions.matchAll(/^ {2}\S+: +Name: (\S+) /gm)].map(([, name]) => name);
  expect(named.length).toBeGreaterThan(5);
  expect(needs.symbolVersions.toSorted()).toEqual(named.toSorted());
  const libraries = [...stdout.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map(([, name]) => name);
  expect(needs.libraries).toEqual(libraries);
});

it("refuses what is no ELF file", () => {
  expect(() => readElfNeeds(import.meta.filename)).toThrow("is not a 64-bit little-endian ELF file");
});
