/** The value, or undefined when the text is no JSON: a page of something in between, a stranger's line. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
