/** What the tests' storage can be told to do wrong. */

/** What to do to a request instead of serving it. */
export type Fault =
  | { kind: "answer"; status: number; code?: string }
  /** The connection breaks as soon as the request's head is in. */
  | { kind: "reset" }
  /** A GET's body breaks off after so many bytes. */
  | { kind: "cut"; afterBytes: number }
  /** The body is taken in; then, before anything becomes visible, this is awaited. */
  | { kind: "hold"; until: Promise<void> }
  /** Served, but the answer never arrives. */
  | { kind: "losesAnswer" }
  /** Acknowledged as if served, but nothing is kept. */
  | { kind: "forgets" }
  /** Kept with one byte changed. */
  | { kind: "corrupts" }
  /** 200 with an error in its body, as CompleteMultipartUpload may have. */
  | { kind: "errorInBody"; code: string };
