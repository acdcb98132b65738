/**
 * What an executable asks of the system that it shall run on: shared libraries, and the versions of their symbols. Read from the
 * file itself, so that the check needs no binutils and is never left out.
 */
import { readFileSync } from "node:fs";

export interface ElfNeeds {
  /** As the loader looks for them: `libc.so.6`. */
  libraries: string[];
  /** As they are named there: `GLIBC_2.28`, `GLIBCXX_3.4.21`. */
  symbolVersions: string[];
}

interface Section {
  type: number;
  link: number;
  data: Buffer;
}

// Numbers of the ELF specification and of its GNU extensions.
const sectionTypes = { dynamic: 6, versionNeeds: 0x6ffffffe };
const needed = 1n; // DT_NEEDED

/** Throws for anything but a 64-bit little-endian ELF file. */
export function readElfNeeds(path: string): ElfNeeds {
  const file = readFileSync(path);
  if (file.readUInt32BE(0) !== 0x7f454c46 || file[4] !== 2 || file[5] !== 1)
    throw new Error(`${path} is not a 64-bit little-endian ELF file`);
  const sections = readSections(file);
  const stringsOf = (section: Section) => {
    const strings = sections[section.link]?.data ?? Buffer.alloc(0);
    return (at: number) => strings.toString("latin1", at, strings.indexOf(0, at));
  };
  const ofType = (type: number) => sections.filter((section) => section.type === type);
  return {
    libraries: ofType(sectionTypes.dynamic).flatMap((section) => librariesOf(section, stringsOf(section))),
    symbolVersions: ofType(sectionTypes.versionNeeds).flatMap((section) =>
      versionsOf(section, stringsOf(section)),
    ),
  };
}

function readSections(file: Buffer): Section[] {
  const tableAt = Number(file.readBigUInt64LE(0x28));
  const entryBytes = file.readUInt16LE(0x3a);
  return Array.from({ length: file.readUInt16LE(0x3c) }, (_, index) => {
    const at = tableAt + index * entryBytes;
    const offset = Number(file.readBigUInt64LE(at + 0x18));
    const type = file.readUInt32LE(at + 4);
    const bytes = type === 8 ? 0 : Number(file.readBigUInt64LE(at + 0x20)); // 8: takes no space in the file
    return { type, link: file.readUInt32LE(at + 0x28), data: file.subarray(offset, offset + bytes) };
  });
}

function librariesOf({ data }: Section, string: (at: number) => string): string[] {
  const found: string[] = [];
  for (let at = 0; at + 16 <= data.length; at += 16) {
    if (data.readBigInt64LE(at) === needed) found.push(string(Number(data.readBigUInt64LE(at + 8))));
  }
  return found;
}

/** A list of libraries, each with a list of versions; distances are counted from the entry that holds them, 0 ends a list. */
function versionsOf({ data }: Section, string: (at: number) => string): string[] {
  const found: string[] = [];
  for (let library = 0; library + 16 <= data.length; ) {
    let version = library + data.readUInt32LE(library + 8);
    for (let left = data.readUInt16LE(library + 2); left > 0; left--) {
      found.push(string(data.readUInt32LE(version + 8)));
      version += data.readUInt32LE(version + 12);
    }
    const next = data.readUInt32LE(library + 12);
    if (next === 0) break;
    library += next;
  }
  return found;
}
