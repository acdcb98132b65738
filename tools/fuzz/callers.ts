/** Who asks: the admin, and a user of an organization, each with what it was told. What one made, the other may not find. */
import { call } from "./call.ts";
import { type MemberName, Memory } from "./memory.ts";
import { place } from "./place.ts";

export interface Caller {
  headers: Record<string, string>;
  memory: Memory;
}

/** Of the user's token: longer than any run, and not for ever on a deployment that is not the fuzz's own. */
const tokenSeconds = 7 * 24 * 3600;

export class Callers {
  readonly admin: Caller;
  readonly #url: string;
  readonly #run: string;
  readonly #memberName: MemberName;
  #user: Caller | undefined;
  #tokenId = "";
  #users = 0;

  constructor(url: string, adminKey: string, run: string, memberName: MemberName) {
    this.#url = url;
    this.#run = run;
    this.#memberName = memberName;
    this.admin = { headers: { "X-Kelpie-Key": adminKey }, memory: new Memory(memberName) };
  }

  /** Throws before `renew` has made it. */
  get user(): Caller {
    if (!this.#user) throw new Error("there is no user yet");
    return this.#user;
  }

  get all(): Caller[] {
    return [this.admin, this.user];
  }

  /** Whether the request, once accepted, has taken the user's own credential away. */
  isEndOfUser({ method, path }: { method: string; path: string }): boolean {
    return method === "DELETE" && (path === "/users" || path.endsWith(`/tokens/${this.#tokenId}`));
  }

  /** Another user with a token. Throws where the admin's key makes none. */
  async renew(): Promise<void> {
    const username = `fuzz-user-${this.#run}-${this.#users++}`;
    const { id } = await this.#make("/users", { username });
    const made = await this.#make(`/users/${id}/token`, {
      org_name: place.organization,
      project_name: place.project,
      expires_seconds: tokenSeconds,
    });
    this.#tokenId = String(made.id);
    this.#user = { headers: { "X-Kelpie-Key": String(made.token) }, memory: new Memory(this.#memberName) };
  }

  async #make(path: string, body: unknown): Promise<Record<string, unknown>> {
    const { headers } = this.admin;
    const answer = await call(this.#url, {
      method: "POST",
      path,
      query: [],
      headers,
      body: JSON.stringify(body),
    });
    if (answer.status !== 201)
      throw new Error(`POST ${path} with the admin's key answered ${answer.status}: ${answer.text}`);
    return JSON.parse(answer.text) as Record<string, unknown>;
  }
}
