/** What wrangler says, made fit for a screen. */
import { stripVTControlCharacters } from "node:util";

/**
 * Warnings that repeat at each start, that nobody can act upon and that hide those that matter: the S3 endpoint is experimental
 * (we know: decided in wrangler.toml), and cron does not fire under `wrangler dev` (local-api.ts fires it). A warning
 * is dropped only when every line of it is known here.
 */
const noise = [
  {
    heading: "▲ [WARNING] Processing wrangler.toml configuration:",
    body: [
      /^- "local_dev\.experimental_s3_credentials" fields are experimental and may change or break at any time\.$/,
    ],
  },
  {
    heading: "▲ [WARNING] Scheduled Workers are not automatically triggered during local development.",
    body: [
      /^To manually trigger a scheduled event, run:$/,
      /^curl "http:\S+\/scheduled"$/,
      /^For more details, see https:\/\/developers\.cloudflare\.com\/\S+#test-cron-triggers-locally$/,
    ],
  },
];

const plain = (line: string) => stripVTControlCharacters(line).trimEnd();

/** Passes lines on, except the known noise. A warning is held back until its end shows that it was nothing else. */
export function createNoiseFilter(tell: (line: string) => void): (line: string) => void {
  let held: string[] = [];
  let body: RegExp[] | undefined;
  return (line) => {
    const text = plain(line);
    const isOfWarning = body && (text === "" || body.some((pattern) => pattern.test(text.trim())));
    if (isOfWarning) {
      held.push(line);
      return;
    }
    // Indented: the warning goes on, with something that is not known.
    if (body && /^\s/.test(text)) held.forEach(tell);
    body = noise.find(({ heading }) => heading === text)?.body;
    held = body ? [line] : [];
    if (!body) tell(line);
  };
}

/** "What failed: why", with the reason that wrangler gave somewhere in its output; then the rest of the output. */
export function failureText(whatFailed: string, output: string): string {
  const lines: string[] = [];
  output.split("\n").forEach(createNoiseFilter((line) => lines.push(line)));
  const error = /^✘ \[ERROR\] (.+)$/;
  const reasonAt = lines.findIndex((line) => error.test(plain(line)));
  if (reasonAt < 0) return `${whatFailed}. Its last words:\n${lines.join("\n")}`;
  const reason = error.exec(plain(lines[reasonAt] ?? ""))?.[1];
  const rest = lines.toSpliced(reasonAt, 1).join("\n").trim();
  return `${whatFailed}: ${reason}\n\n${rest}`.trim();
}
