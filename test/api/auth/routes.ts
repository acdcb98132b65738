/** Every route that the app has, with the access that it declares, read from its router: nothing can be forgotten. */
import { createApp } from "../../../src/app.ts";
import { type Access, accessOf } from "../../../src/middleware/access.ts";

export interface DeclaredRoute {
  /** `GET /jobs/:id` */
  name: string;
  method: string;
  path: string;
  /** `undefined`: none was declared. */
  access: Access | undefined;
}

export function everyRoute(): DeclaredRoute[] {
  const { routes } = createApp();
  // Middlewares are registered for all methods.
  const placesOf = (method: string, path: string) =>
    routes.filter((route) => route.path === path && [method, "ALL"].includes(route.method));
  const found = new Map<string, DeclaredRoute>();
  for (const { method, path } of routes) {
    if (method === "ALL" || path === "/bare") continue;
    const declared = placesOf(method, path).map(({ handler }) => accessOf(handler));
    const access = declared.find((one) => one !== undefined);
    found.set(`${method} ${path}`, { name: `${method} ${path}`, method, path, access });
  }
  return [...found.values()];
}

/** A path to call: each parameter as given, else by its name. */
export function pathOf(path: string, values: Record<string, string> = {}): string {
  return path.replaceAll(/:(\w+)(\{[^}]*\})?/g, (_whole, name: string) =>
    encodeURIComponent(values[name] ?? (name === "id" ? crypto.randomUUID() : name)),
  );
}
