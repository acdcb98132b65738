/** Text in the columns of a terminal. */

const emoji = /\p{Emoji_Presentation}/u;

/** Columns that it takes. Emoji take two; nothing else that is wide is shown here. */
export function widthOf(text: string): number {
  return [...text].reduce((width, character) => width + (emoji.test(character) ? 2 : 1), 0);
}

/** All of it, or as much as there is room for, with a mark that something is missing. */
export function clip(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let clipped = "";
  for (const character of text) {
    if (widthOf(clipped + character) >= width) break;
    clipped += character;
  }
  return width > 0 ? `${clipped}…` : "";
}

/** `text` after `lead`, on as many lines as it needs: broken after commas, else between words. */
export function fold(lead: string, text: string, width: number): string[] {
  const indent = " ".repeat(width >= 3 * lead.length ? lead.length : 2);
  const pieces = text
    .split(/(?<=[,;]) /)
    .flatMap((piece) => (widthOf(indent + piece) <= width ? [piece] : piece.split(" ")));
  const lines: string[] = [];
  let line = lead;
  for (const [i, piece] of pieces.entries()) {
    const longer = i === 0 ? line + piece : `${line} ${piece}`;
    // No further line has more room than that of a lead as long as the indentation.
    if (widthOf(longer) <= width || (i === 0 && lead.length <= indent.length)) {
      line = longer;
      continue;
    }
    lines.push(line.trimEnd());
    line = indent + piece;
  }
  return [...lines, line].map((one) => clip(one, width));
}
