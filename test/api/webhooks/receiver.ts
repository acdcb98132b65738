/** A receiver of webhooks: stands in for `fetch`, for the API and its objects alike. */
import { vi } from "vitest";

export interface Received {
  url: string;
  method: string;
  headers: Headers;
  body: string;
  redirect: string | undefined;
}

export interface Receiver {
  received: Received[];
  /** Those about this job. */
  of(jobId: string): { status: string; event: string; number: number }[];
  answer: (request: Received) => Response;
}

export function receiver(): Receiver {
  const self: Receiver = {
    received: [],
    of: (jobId) => self.received.map(({ body }) => JSON.parse(body)).filter(({ job_id }) => job_id === jobId),
    answer: () => new Response(null, { status: 204 }),
  };
  vi.spyOn(globalThis, "fetch").mockImplementation(async (input, init) => {
    const request = new Request(input, init);
    const received = {
      url: request.url,
      method: request.method,
      headers: request.headers,
      body: await request.text(),
      redirect: init?.redirect,
    };
    self.received.push(received);
    return self.answer(received);
  });
  return self;
}
