import { z } from "zod";

/** A time on the wire. */
export const Time = z.iso.datetime().describe("ISO 8601, UTC, milliseconds");
