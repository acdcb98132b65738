/** The version of package.json, kept equal by a test: a bundled agent has no package.json beside it. */
export const version = "0.1.0";
