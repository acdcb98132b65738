/** One of Salad's OpenAPI documents: whether an exchange is as it says. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { parse } from "yaml";
import { projectRoot } from "../../tools/project.ts";

/** Beside the project, where they are kept at all. */
const folder = join(projectRoot, "../shared/specs");

/** A request and its answer; `path` without what stands before it (server, instance). */
export interface Exchange {
  method: string;
  path: string;
  requestType: string | null;
  requestBody: unknown;
  status: number;
  responseType: string | null;
  responseText: string;
}

interface Node {
  [key: string]: Node;
}
type Content = Node | undefined;

export class Specification {
  readonly #document: Node;
  readonly #ajv = new Ajv2020({ strict: false, validateSchema: false, allErrors: true });

  /** `null` where the document is not there. */
  static load(name: string): Specification | null {
    const path = join(folder, name);
    return existsSync(path) ? new Specification(parse(readFileSync(path, "utf8"))) : null;
  }

  private constructor(document: Node) {
    this.#document = document;
    formats(this.#ajv);
    this.#ajv.addSchema(document, "specification");
  }

  /** The paths as the document writes them, each with its methods. */
  operations(): string[] {
    const methods = ["get", "put", "post", "patch", "delete"];
    return Object.entries(this.#document.paths ?? {}).flatMap(([path, item]) =>
      methods.filter((method) => item[method]).map((method) => `${method.toUpperCase()} ${path}`),
    );
  }

  /** Of an exchange, as `operations` lists it. */
  operationOf({ method, path }: Exchange): string | undefined {
    return this.operations().find((operation) => {
      const [itsMethod, template = ""] = operation.split(" ");
      return itsMethod === method && new RegExp(`^${template.replaceAll(/{\w+}/g, "[^/]+")}$`).test(path);
    });
  }

  /** What of an answer is not as the document says; empty: nothing. */
  faultsOfAnswer(exchange: Exchange): string[] {
    const pointer = this.#pointerOf(exchange);
    if (pointer === null) return ["there is no such operation"];
    const { status } = exchange;
    const declared = this.#at(`${pointer}/responses/${status}`);
    // Errors may come with a status that is not listed; what succeeds may not.
    if (!declared && status < 400) return [`${status} is not declared`];
    const response = this.#resolve(`${pointer}/responses/${declared ? status : "default"}`);
    return this.#faults(response, exchange.responseType, exchange.responseText);
  }

  /** The same of a request that is expected to be a good one. */
  faultsOfRequest(exchange: Exchange): string[] {
    const pointer = this.#pointerOf(exchange);
    if (pointer === null) return ["there is no such operation"];
    const text = exchange.requestBody === undefined ? "" : JSON.stringify(exchange.requestBody);
    const wants = this.#at(`${pointer}/requestBody`) !== undefined;
    return this.#faults(wants ? this.#resolve(`${pointer}/requestBody`) : "", exchange.requestType, text);
  }

  #pointerOf(exchange: Exchange): string | null {
    const [method = "", template = ""] = this.operationOf(exchange)?.split(" ") ?? [];
    return template === "" ? null : `/paths/${escaped(template)}/${method.toLowerCase()}`;
  }

  /** `pointer`: of a response or request body, "" for one that has none. */
  #faults(pointer: string, type: string | null, text: string): string[] {
    const content: Content = pointer === "" ? undefined : this.#at(`${pointer}/content`);
    if (!content) return text === "" ? [] : [`a body where none is declared: ${text}`];
    const media = (type ?? "").split(";")[0]?.trim() ?? "";
    if (!content[media]) return [`"${media}" is not declared, only ${Object.keys(content).join(", ")}`];
    const schema = `specification#${pointer}/content/${escaped(media)}/schema`;
    const validate = this.#ajv.getSchema(schema) ?? this.#ajv.compile({ $ref: schema });
    if (validate(JSON.parse(text))) return [];
    return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`);
  }

  /** The pointer itself, or where it refers to. */
  #resolve(pointer: string): string {
    const reference = this.#at(pointer)?.$ref as unknown;
    return typeof reference === "string" ? reference.slice(1) : pointer;
  }

  #at(pointer: string): Node | undefined {
    return pointer
      .split("/")
      .slice(1)
      .reduce<Node | undefined>(
        (node, part) => node?.[part.replaceAll("~1", "/").replaceAll("~0", "~")],
        this.#document,
      );
  }
}

const escaped = (part: string) => part.replaceAll("~", "~0").replaceAll("/", "~1");
