// A file of its own, so that the page needs no inline script.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  // Credentials stay in the page, and are gone with it.
  persistAuthorization: false,
  // Else it asks a service on the internet whether the document is valid.
  validatorUrl: null,
});
