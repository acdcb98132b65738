/** What `npm run dev` needs to know of its arguments; the rest goes to `wrangler dev` untouched. */
export interface DevArguments {
  port?: number;
  ip?: string;
  persistTo?: string;
  vars: Record<string, string>;
  rest: string[];
}

/** Both spellings, `--port 8787` and `--port=8787`; `--var` takes one or several NAME:VALUE. */
export function parseDevArguments(given: string[]): DevArguments {
  const parsed: DevArguments = { vars: {}, rest: [] };
  const words = [...given];
  const takeValue = (option: string, inline: string | undefined): string => {
    const value = inline ?? words.shift();
    if (value === undefined) throw new Error(`${option} needs a value`);
    return value;
  };
  for (let word = words.shift(); word !== undefined; word = words.shift()) {
    const [, option = word, inline] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
    if (option === "--port") parsed.port = parsePort(takeValue(option, inline));
    else if (option === "--ip") parsed.ip = takeValue(option, inline);
    else if (option === "--persist-to") parsed.persistTo = takeValue(option, inline);
    else if (option === "--var") {
      addVar(parsed.vars, takeValue(option, inline));
      while (words[0] !== undefined && !words[0].startsWith("-")) addVar(parsed.vars, words.shift() ?? "");
    } else parsed.rest.push(word);
  }
  return parsed;
}

function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw new Error(`--port ${text} is not a port`);
  return port;
}

function addVar(vars: Record<string, string>, pair: string): void {
  const colon = pair.indexOf(":");
  if (colon < 1) throw new Error(`--var ${pair} is not NAME:VALUE`);
  vars[pair.slice(0, colon)] = pair.slice(colon + 1);
}
