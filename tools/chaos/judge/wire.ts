import type { EndReport, WireEvent } from "../logs/wire-log.ts";

export const isReport = (event: WireEvent): event is EndReport => event.kind === "report";

/** The API said yes. */
export const answeredWell = ({ status }: { status?: number }) =>
  status !== undefined && status >= 200 && status < 300;
