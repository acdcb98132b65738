// A submit script as people have it for Salad's Kelpie: two jobs, one poll until both are there. Nothing in it knows this API.
const api = process.env.KELPIE_API_URL;
const headers = {
  "Content-Type": "application/json",
  "X-Kelpie-Key": process.env.KELPIE_API_KEY,
};

async function submitJob(name) {
  const response = await fetch(`${api}/jobs`, {
    method: "POST",
    headers,
    body: JSON.stringify({
      command: "python",
      arguments: ["train.py", "--name", name],
      environment: { NAME: name },
      container_group_id: process.env.CONTAINER_GROUP_ID,
      heartbeat_interval: 10,
      max_failures: 3,
      webhook: "https://hooks.example.com/kelpie",
      sync: {
        before: [
          { bucket: "mine", prefix: `${name}/checkpoint`, local_path: "checkpoint/", direction: "download" },
        ],
        during: [
          { bucket: "mine", prefix: `${name}/checkpoint`, local_path: "checkpoint/", direction: "upload" },
        ],
        after: [{ bucket: "mine", prefix: `${name}/output`, local_path: "output/", direction: "upload" }],
      },
    }),
  });
  if (response.status !== 202) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()).id;
}

const ids = [await submitJob("first"), await submitJob("second")];
const query = new URLSearchParams({
  status: "pending",
  container_group_id: process.env.CONTAINER_GROUP_ID,
  asc: "true",
});
const { _count, jobs } = await (await fetch(`${api}/jobs?${query}`, { headers })).json();
const canceled = await fetch(`${api}/jobs/${ids[1]}`, { method: "DELETE", headers });
const { status } = await (await fetch(`${api}/jobs/${ids[1]}`, { headers })).json();
console.log(
  JSON.stringify({ ids, count: _count, listed: jobs.map(({ id }) => id), canceled: canceled.status, status }),
);
