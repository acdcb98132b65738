/** The one organization and project on SaladCloud that the fuzz speaks of. */
export const place = { organization: "fuzz-org", project: "fuzz-project" };
