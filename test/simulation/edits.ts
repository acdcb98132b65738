/** A rule taken out of the shipped sources, from outside: a piece of text, which must be there exactly once, is replaced as its module is loaded. */
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

export interface Edit {
  file: string;
  find: string;
  replace: string;
}

export interface Edits extends Edit {
  /** A second guard of the same rule: it takes both to break it. */
  and?: Edit;
}

const urlOf = (file: string) => new URL(`../../${file}`, import.meta.url);

export const editsOf = (edits: Edits): Edit[] => (edits.and ? [edits, edits.and] : [edits]);

export const sourceOf = ({ file }: Edit): string => readFileSync(urlOf(file), "utf8");

/** The source with the mutant's rule taken out. */
export function mutated(source: string, edit: Edit): string {
  const parts = source.split(edit.find);
  if (parts.length !== 2) {
    throw new Error(`found ${parts.length - 1} times in ${edit.file}, not once: ${edit.find}`);
  }
  return parts.join(edit.replace);
}

/** For this process: what is imported from here on is mutated. */
export function install(edits: Edits): void {
  const byUrl = Map.groupBy(editsOf(edits), (edit) => urlOf(edit.file).href);
  registerHooks({
    load(url, context, nextLoad) {
      const [edit, ...others] = byUrl.get(url) ?? [];
      if (!edit) return nextLoad(url, context);
      const source = others.reduce(mutated, mutated(sourceOf(edit), edit));
      return { format: "module-typescript", source, shortCircuit: true };
    },
  });
}
