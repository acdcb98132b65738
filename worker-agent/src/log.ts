/** JSON lines on stdout, as SaladCloud's log query reads them: it promotes `severity`, not `level`. */

export const logLevels = ["trace", "debug", "info", "warn", "error", "fatal", "silent"] as const;
export type LogLevel = (typeof logLevels)[number];

export type LogFields = Record<string, string | number | boolean | null | undefined>;

export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** The same log with fields on every line, such as `job_id` and `attempt`. */
  with(fields: LogFields): Log;
}

export interface LogSettings {
  level: LogLevel;
  /** Values that must never appear, whatever message they slipped into. Those that join later count from then on. */
  secrets?: Iterable<string>;
  write?: (line: string) => void;
}

/** Shorter "secrets" would blank out ordinary words. */
const secretCharsMin = 8;

/** Builds the agent's log. The command's own output does not pass through it. */
export function createLog(settings: LogSettings, fixed: LogFields = {}): Log {
  const threshold = logLevels.indexOf(settings.level);
  const secrets = settings.secrets ?? [];
  const write = settings.write ?? ((line: string) => void process.stdout.write(`${line}\n`));

  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      if (logLevels.indexOf(level) < threshold) return;
      const entry = {
        severity: level.toUpperCase(),
        time: new Date().toISOString(),
        message,
        ...fixed,
        ...fields,
      };
      let line = JSON.stringify(entry);
      for (const secret of secrets) {
        if (secret.length >= secretCharsMin)
          line = line.replaceAll(JSON.stringify(secret).slice(1, -1), "[secret]");
      }
      write(line);
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => createLog(settings, { ...fixed, ...fields }),
  };
}

/** What went wrong, in words, for a log line or a report. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause instanceof Error ? error.cause.message : "";
  return cause && !error.message.includes(cause) ? `${error.message}: ${cause}` : error.message;
}
