/** Names of organizations, projects and container groups on SaladCloud. */
const pattern = /^[a-z][a-z0-9-]{0,61}[a-z0-9]$/;

/** What is not one cannot exist there, and has no business in a URL that we call with a key. */
export function isSaladName(name: string): boolean {
  return pattern.test(name);
}
