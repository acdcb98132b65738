import { expect, test } from "vitest";
import { limits } from "../../../src/contract/index.ts";
import { type KeptBounds, KeptStream } from "../../src/logs/kept-stream.ts";

const bounds: KeptBounds = {
  bytesPerSecond: 100,
  burstBytes: 1_000,
  backlogBytes: 100_000,
  totalBytes: 1_000_000,
  resumeBytes: 50,
  endBytes: 30,
};

function stream(changes: Partial<KeptBounds> = {}, secrets: string[] = []) {
  let nowMs = 0;
  const kept = new KeptStream(secrets, { ...bounds, ...changes }, () => nowMs);
  return {
    kept,
    take: (text: string) => kept.take(Buffer.from(text)),
    pass(seconds: number) {
      nowMs += seconds * 1000;
    },
    /** All that waits, as if it were sent. */
    sent() {
      let text = "";
      for (let part = kept.part(); part; part = kept.part()) {
        text += part.toString();
        kept.sent(part.length);
      }
      return text;
    },
  };
}
const line = (letter: string) => `${letter.repeat(99)}\n`;

test("what keeps to the rate is kept whole", () => {
  const { take, pass, sent } = stream();
  let text = "";
  for (let second = 0; second < 20; second++) {
    take(line("a"));
    pass(1);
    text += sent();
  }
  expect(text).toBe(line("a").repeat(20));
});

test("beyond the burst it is dropped, told by a marker, and goes on at the beginning of a line", () => {
  const { take, pass, sent } = stream();
  take(line("a").repeat(12));
  pass(1);
  take("the rest of it\nnew line\n");
  expect(sent()).toBe(`${line("a").repeat(10)}[kelpie: 215 bytes dropped]\nnew line\n`);
});

test("a gap in the middle of a line: the marker has its own", () => {
  const { take, pass, sent } = stream({ burstBytes: 60 });
  take("x".repeat(70));
  pass(10);
  take("y\nz\n");
  expect(sent()).toBe(`${"x".repeat(60)}\n[kelpie: 12 bytes dropped]\nz\n`);
});

test("no half of a secret is seen before or after a gap", () => {
  const secret = "0123456789abcdef";
  const { take, pass, sent, kept } = stream({ burstBytes: 60 }, [secret]);
  take(`${"x".repeat(50)}${secret}`);
  pass(10);
  take(`${secret}\nok\n`);
  kept.end();
  const text = sent();
  expect(text).toBe(`${"x".repeat(50)}***\n[kelpie: 23 bytes dropped]\nok\n`);
});

test("storage that takes nothing: memory stays bounded, what had come first is kept", () => {
  const { kept, take, pass, sent } = stream({ backlogBytes: 500, burstBytes: 1_000_000 });
  for (let count = 0; count < 10_000; count++) {
    take(line("a"));
    pass(1);
    expect(kept.waitingBytes).toBeLessThanOrEqual(500);
  }
  expect(sent()).toBe(line("a").repeat(5));
  take(line("b"));
  expect(sent()).toBe("[kelpie: 999600 bytes dropped]\n");
});

test("the end of what was dropped is kept: it tells why", () => {
  const { kept, take, sent } = stream();
  take(line("a").repeat(20));
  take("Traceback:\nOutOfMemory\n");
  kept.end();
  expect(sent()).toBe(`${line("a").repeat(10)}[kelpie: 1000 bytes dropped]\nTraceback:\nOutOfMemory\n`);
});

test("beyond the bound of all, the end is still kept", () => {
  const { kept, take, pass, sent } = stream({ totalBytes: 250 });
  for (let count = 0; count < 10; count++) {
    take(line("a"));
    pass(10);
  }
  take("the end\n");
  kept.end();
  expect(sent()).toBe(`${line("a").repeat(2)}${"a".repeat(50)}\n[kelpie: 750 bytes dropped]\nthe end\n`);
});

test("parts are no larger than one call takes, and the same until they are sent", () => {
  const { kept } = stream({ burstBytes: 2e6, backlogBytes: 2e6 });
  kept.take(Buffer.alloc(limits.logChunkBytes + 10, "a"));
  expect(kept.part()?.length).toBe(limits.logChunkBytes);
  kept.take(Buffer.from("b"));
  const part = kept.part();
  expect(part?.length).toBe(limits.logChunkBytes);
  kept.sent(part?.length ?? 0);
  expect(kept.part()?.toString()).toBe("aaaaaaaaaab");
  expect(kept.waitingBytes).toBe(11);
});

test("what was written byte by byte while nothing could be sent is kept whole, and is soon gone through", () => {
  const { take, sent } = stream({ burstBytes: 400_000, backlogBytes: 400_000 });
  for (let written = 0; written < 400_000; written++) take("a");
  expect(sent()).toBe("a".repeat(400_000));
});
