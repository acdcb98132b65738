/** Which systems the binary runs on: Debian 10 and RHEL 8 or newer, whatever the image of a GPU job is made from. */
import type { ElfNeeds } from "./elf-needs.ts";

/** Of Debian 10: glibc 2.28, and the libraries of its GCC 8. */
const newest: Record<string, string> = { GLIBC: "2.28", GLIBCXX: "3.4.25", CXXABI: "1.3.11", GCC: "8.0.0" };

/** In every image that has a C++ program. libatomic.so.1, say, is in few. */
const libraries = [
  ...["libc.so.6", "libm.so.6", "libdl.so.2", "libpthread.so.0", "ld-linux-x86-64.so.2"],
  ...["libstdc++.so.6", "libgcc_s.so.1"],
];

/** What an older system lacks, in words; empty: it will run. */
export function missingOnOldestSystem(needs: ElfNeeds): string[] {
  return [
    ...needs.libraries.filter((name) => !libraries.includes(name)),
    ...needs.symbolVersions.filter((name) => {
      const { family, version } = parsed(name);
      const bound = newest[family];
      return bound === undefined || isNewer(version, bound);
    }),
  ];
}

/** The newest version of each family, for a person to read. */
export function newestVersions({ symbolVersions }: ElfNeeds): string[] {
  const found = new Map<string, string>();
  for (const name of symbolVersions) {
    const { family, version } = parsed(name);
    if (isNewer(version, found.get(family) ?? "0")) found.set(family, version);
  }
  return [...found].map(([family, version]) => `${family} ${version}`).sort();
}

/** One without a number (`GLIBC_ABI_DT_RELR` of glibc 2.36) is a family of its own. */
function parsed(name: string): { family: string; version: string } {
  const [, family = name, version = "0"] = /^([A-Z]+)_(\d+(?:\.\d+)*)$/.exec(name) ?? [];
  return { family, version };
}

function isNewer(version: string, than: string): boolean {
  const [own, other] = [version, than].map((text) => text.split(".").map(Number));
  for (let at = 0; at < Math.max(own?.length ?? 0, other?.length ?? 0); at++) {
    const difference = (own?.[at] ?? 0) - (other?.[at] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return false;
}
