/** Small files of a cut: read at once and copied together into packs, so that nothing done to them later touches the cut. */
import { join } from "node:path";
import { FileDisturbed } from "../transfer/failures.ts";
import type { KnownFile } from "../transfer/ports.ts";
import { type Cut, correct, expectedOf, inMotion, unlessGone } from "./cut.ts";
import type { CutterSettings } from "./cutter.ts";
import { checkHeldStill, openFlags, stateToRead } from "./hold-still.ts";
import { Packer } from "./packer.ts";
import { readInto, withFile } from "./reading.ts";
import type { Staging } from "./staging.ts";

export interface SmallFilesSettings extends CutterSettings {
  onNoRoom(): void;
}

export async function packSmallFiles(
  paths: string[],
  cut: Cut,
  staging: Staging,
  settings: SmallFilesSettings,
): Promise<void> {
  const { sizes, isStored, knowledge, realRoot, signal, onNoRoom } = settings;
  const states = new Map<string, KnownFile>();
  const packer = new Packer(staging, cut.sources, {
    chunkBytes: sizes.chunkBytes,
    isStored,
    onNoRoom,
    onPacked: (path, content) => {
      const state = states.get(path);
      if (state) knowledge.learn(path, state, content);
      cut.contents.set(path, content);
    },
  });
  for (const path of paths) {
    signal.throwIfAborted();
    const original = join(realRoot, path);
    const read = await unlessGone(path, original, cut, () =>
      inMotion(cut, () => readSmall(original, expectedOf(cut, path), settings)),
    );
    if (!read) continue;
    const { bytes, state } = read;
    states.set(path, state);
    correct(cut, path, state);
    if (bytes.byteLength === 0) cut.contents.set(path, { sizeBytes: 0, pieces: [] });
    else await packer.add(path, original, bytes);
  }
  await packer.flush();
}

/** `expected`: the only state that will do; without, it may grow meanwhile. */
function readSmall(
  original: string,
  expected: KnownFile | undefined,
  { sizes, signal }: SmallFilesSettings,
): Promise<{ bytes: Buffer; state: KnownFile }> {
  return withFile(original, openFlags, async (handle) => {
    const held = await stateToRead(handle, original, expected, signal);
    const { state } = held;
    // It was small when it was seen.
    if (state.sizeBytes > sizes.chunkBytes) throw new FileDisturbed(original);
    const bytes = Buffer.allocUnsafeSlow(state.sizeBytes);
    await readInto(bytes, handle, original, 0);
    const lookAgain = async () => {
      const again = Buffer.allocUnsafeSlow(state.sizeBytes);
      await readInto(again, handle, original, 0);
      return again.equals(bytes);
    };
    await checkHeldStill(handle, original, held, expected ? undefined : lookAgain);
    return { bytes, state };
  });
}
