/** Uploads a directory in a process of its own, so that its peak memory is that of the upload. */
import { createApiClient } from "../../src/api/client.ts";
import { createTransfers } from "../../src/transfer/transfers.ts";

const [endpointUrl, directory] = process.argv.slice(2);
if (!endpointUrl || !directory) throw new Error("usage: upload-in-child.ts ENDPOINT DIRECTORY");

const settings = {
  accessKeyId: "local",
  secretAccessKey: "localsecret",
  region: "auto",
  endpointUrl,
  stabilityMs: 50,
  maxWaitMs: 5000,
  debounceMs: 0,
};
const api = createApiClient("http://localhost:9", {});
const identity = { machine_id: "machine", container_group_id: "group" };
const transfers = createTransfers(settings, { api, identity });
const gate = { ready: async () => {}, signal: new AbortController().signal, end: () => {} };
const rssBeforeBytes = process.memoryUsage.rss();
await transfers.upload(
  { bucket: "work", prefix: "", local_path: directory, direction: "upload" },
  directory,
  {
    gate,
    lease: { jobId: "job", attempt: 1, token: "token" },
    observer: { began: () => {}, ended: () => {} },
    signal: new AbortController().signal,
    compression: false,
    workdir: directory,
  },
);
console.info(JSON.stringify({ rssBytes: process.resourceUsage().maxRSS * 1024, rssBeforeBytes }));
