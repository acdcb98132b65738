"""A submit script as people have it for Salad's Kelpie: a batch, one look, one cancel. Nothing in it knows this API."""
import json
import os
import urllib.error
import urllib.parse
import urllib.request

API = os.environ["KELPIE_API_URL"]
GROUP = os.environ["CONTAINER_GROUP_ID"]


def call(method, path, body=None):
    request = urllib.request.Request(
        API + path,
        method=method,
        # urllib names form data as the type of whatever it is given.
        data=None if body is None else json.dumps(body).encode(),
        headers={"X-Kelpie-Key": os.environ["KELPIE_API_KEY"]},
    )
    with urllib.request.urlopen(request) as response:
        return response.status, json.loads(response.read())


def job(name):
    return {
        "command": "python",
        "arguments": ["train.py", "--name", name],
        "environment": {"NAME": name},
        "container_group_id": GROUP,
        "input_bucket": "mine",
        "input_prefix": name + "/input",
        "checkpoint_bucket": "mine",
        "checkpoint_prefix": name + "/checkpoint",
        "output_bucket": "mine",
        "output_prefix": name + "/output",
    }


_, jobs = call("POST", "/jobs/batch", [job("first"), job("second")])
ids = [one["id"] for one in jobs]
query = urllib.parse.urlencode({"status": "pending", "container_group_id": GROUP, "asc": "true"})
_, listed = call("GET", "/jobs?" + query)
canceled, _ = call("DELETE", "/jobs/" + ids[1])
_, second = call("GET", "/jobs/" + ids[1])
try:
    call("GET", "/jobs/00000000-0000-4000-8000-000000000000")
    missing = 200
except urllib.error.HTTPError as error:
    missing = error.code
print(
    json.dumps(
        {
            "ids": ids,
            "count": listed["_count"],
            "listed": [one["id"] for one in listed["jobs"]],
            "canceled": canceled,
            "status": second["status"],
            "missing": missing,
        }
    )
)
