/** Which values of a command's environment must not be kept in its log (docs/logs.md, "Masking"). */

/** TOKENIZERS_PARALLELISM and its kin are no tokens. */
const secretName =
  /KEY|TOKEN(?!I[ZS])|SECRET|PASSW|PASSPHRASE|(^|_)PASS($|_)|CREDENTIAL|PRIVATE|BEARER|COOKIE|SIGNATURE/i;
/** Shorter ones would blank out ordinary words. */
const secretCharsMin = 6;
/** A longer value is looked for in pieces of this: so much may have to be held back until it is known what follows. */
const pieceChars = 1024;

/** As bytes in latin1, the longest first, each once. */
export function secretValuesOf(environment: NodeJS.ProcessEnv): string[] {
  const values = Object.entries(environment).flatMap(([name, value = ""]) =>
    secretName.test(name) ? [value] : passwordsIn(value),
  );
  // A key in PEM is a text of several lines, and shown so.
  const texts = values.flatMap((value) => [value, ...value.split(/[\r\n]+/)]).map((text) => text.trim());
  const written = texts.flatMap((text) => [
    text,
    JSON.stringify(text).slice(1, -1),
    encodeURIComponent(text.toWellFormed()),
  ]);
  const bytes = written.map((text) => Buffer.from(text).toString("latin1"));
  const secrets = bytes.filter(({ length }) => length >= secretCharsMin).flatMap(pieces);
  return [...new Set(secrets)].sort((one, other) => other.length - one.length);
}

/** `postgres://user:password@host` is a secret under any name. */
function passwordsIn(value: string): string[] {
  const [, password = ""] = /^[a-z][a-z0-9+.-]*:\/\/[^/?#\s]*?:([^/?#\s]+)@/i.exec(value) ?? [];
  return password === "" ? [] : [password];
}

function pieces(secret: string): string[] {
  if (secret.length <= 2 * pieceChars) return [secret];
  const rest = secret.slice(pieceChars);
  return [secret.slice(0, pieceChars), ...pieces(rest)];
}
