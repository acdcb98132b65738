const [quote, backslash] = ['"', "\\"];
const brackets = /["[\]{}]/g;

/**
 * Whether a text of JSON has objects and arrays deeper inside each other than that. Looked at before parsing: what is parsed is walked by
 * functions that call themselves. A text that is no JSON may get either answer; parsing refuses it.
 */
export function isNestedDeeper(json: string, depth: number): boolean {
  let open = 0;
  brackets.lastIndex = 0;
  for (let match = brackets.exec(json); match; match = brackets.exec(json)) {
    const [mark] = match;
    if (mark === "[" || mark === "{") {
      open++;
      if (open > depth) return true;
    } else if (mark === quote) brackets.lastIndex = endOfString(json, match.index + 1);
    else open--;
  }
  return false;
}

/** Behind the quote that ends the string; the end of the text if none does. Strings are most of a body: they are leapt over. */
function endOfString(json: string, start: number): number {
  for (let end = json.indexOf(quote, start); end >= 0; end = json.indexOf(quote, end + 1)) {
    let slashes = 0;
    while (json[end - 1 - slashes] === backslash) slashes++;
    if (slashes % 2 === 0) return end + 1;
  }
  return json.length;
}
