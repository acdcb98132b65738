import { expect, it } from "vitest";
import { call } from "../support/call.ts";
import { promise } from "../support/promise.ts";
import { openQueue } from "../support/queue.ts";
import type { Job } from "../support/wire.ts";

promise(
  "3",
  "`pattern` is a regular expression of ECMAScript, and reaches the worker as it was written",
  () => {
    it.each([String.raw`\.ckpt$`, "^final/(?<step>\\d+)", "[^/]+\\.(json|pt)$", "ü|\\u00fc"])(
      "%s",
      async (pattern) => {
        const queue = openQueue();
        const rule = { bucket: "b", prefix: "p/", local_path: "d", direction: "upload", pattern };
        const body = { command: "true", container_group_id: queue.group, sync: { during: [rule] } };
        const answer = await call<Job>("POST", "/jobs", { key: queue.key, body });
        expect(answer.status, answer.text).toBe(202);
        expect((await queue.claim("m1"))?.sync?.during?.[0]?.pattern).toBe(pattern);
      },
    );
  },
);
