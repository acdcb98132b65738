// Turns its input into its output, and tells what it sees of its environment.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";

mkdirSync("results", { recursive: true });
const inputs = readdirSync("inputs", { recursive: true, withFileTypes: true }).filter((entry) =>
  entry.isFile(),
);
const texts = inputs.map(({ parentPath, name }) => [name, readFileSync(`${parentPath}/${name}`, "utf8")]);
writeFileSync("results/copies.json", JSON.stringify(Object.fromEntries(texts)));
writeFileSync("results/environment.json", JSON.stringify(process.env));
