/** One POST: what the receiver has said stands, whatever becomes of the rest of its answer. */
import { afterEach, expect, test, vi } from "vitest";
import { post } from "../../src/webhooks/post.ts";

afterEach(() => vi.restoreAllMocks());

const request = { url: "https://receiver.test/", headers: {}, body: "{}" };
const broken = () =>
  new ReadableStream<Uint8Array>({ start: (controller) => controller.error(new Error("connection reset")) });

test.each([200, 204, 410, 500])("%i counts, though the connection breaks behind it", async (status) => {
  const response = new Response(null, { status });
  Object.defineProperty(response, "body", { value: broken() });
  vi.spyOn(globalThis, "fetch").mockResolvedValue(response);
  expect(await post(request)).toEqual({ kind: "answered", status, said: "" });
});

test("no answer at all is no answer", async () => {
  vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("connection refused by 10.0.0.1"));
  expect(await post(request)).toEqual({ kind: "unreachable" });
});
