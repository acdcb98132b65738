/** What is to be moved: random bytes, so that nobody gains by compressing or by knowing a part already. */
import { randomBytes } from "node:crypto";
import { mkdir, open, writeFile } from "node:fs/promises";
import { join } from "node:path";

const pieceBytes = 8_000_000;

export async function makeFile(path: string, bytes: number): Promise<void> {
  const file = await open(path, "wx");
  try {
    for (let done = 0; done < bytes; done += pieceBytes)
      await file.write(randomBytes(Math.min(pieceBytes, bytes - done)));
  } finally {
    await file.close();
  }
}

/** A hundred to a directory. */
export async function makeFiles(directory: string, count: number, bytes: number): Promise<void> {
  for (let n = 0; n < count; n++) {
    const inside = join(directory, String(Math.floor(n / 100)));
    if (n % 100 === 0) await mkdir(inside, { recursive: true });
    await writeFile(join(inside, `${n}.bin`), randomBytes(bytes));
  }
}
