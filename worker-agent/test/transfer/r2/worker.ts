/** The tests talk to the bucket's S3 endpoint, never to the Worker. */
export default { fetch: () => new Response("nothing here", { status: 404 }) };
