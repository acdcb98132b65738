/** Of the API: that of package.json, which a test holds it to. */
export const apiVersion = "0.1.0";
