/** A letter too many or too few, or two that changed places. */
const slipsMax = 2;

/** Which of the known words was most likely meant; undefined: none. */
export function misspeltAs(word: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((other) => ({ other, slips: slipsBetween(word, other) }))
    .toSorted((one, other) => one.slips - other.slips);
  return best && best.slips <= slipsMax ? best.other : undefined;
}

/** How many letters have to be changed, left out or put in to make one of the other (Levenshtein). */
function slipsBetween(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (const [index, letter] of [...one].entries()) {
    const next = [index + 1];
    for (const [at, otherLetter] of [...other].entries()) {
      const kept = (row[at] ?? 0) + (letter === otherLetter ? 0 : 1);
      next.push(Math.min(kept, (row[at + 1] ?? 0) + 1, (next[at] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
