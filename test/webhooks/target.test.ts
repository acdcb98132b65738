import { expect, test } from "vitest";
import { problemOfTarget } from "../../src/webhooks/target.ts";

test.each([
  "https://hooks.example.com/x?token=y",
  "http://hooks.example.com:8080/",
  "https://8.8.8.8/",
  "https://[2606:4700::1111]/",
  "https://internal.example.com/",
  "https://localhost.example.com/",
  "https://xn--bcher-kva.example/",
])("%s may be told", (url) => {
  expect(problemOfTarget(url, false)).toBeNull();
});

test.each([
  // Loopback, in every spelling that URL parsing knows.
  "http://127.0.0.1/",
  "http://127.1/",
  "http://2130706433/",
  "http://0x7f000001/",
  "http://0177.0.0.1/",
  "http://127.0.0.1./",
  "http://[::1]/",
  "http://[0:0:0:0:0:0:0:1]/",
  "http://[::ffff:127.0.0.1]/",
  "http://[::ffff:a9fe:a9fe]/",
  "http://[::127.0.0.1]/",
  "http://[64:ff9b::7f00:1]/",
  "http://[2002:7f00:1::]/",
  "http://①②⑦.⓪.⓪.①/",
  // Private, link-local and metadata, carriers' and reserved ranges.
  "http://10.0.0.1/",
  "http://172.16.5.4/",
  "http://192.168.1.1/",
  "http://169.254.169.254/latest/meta-data",
  "http://[fd00:ec2::254]/",
  "http://[fe80::1]/",
  "http://[fc00::1]/",
  "http://100.64.0.1/",
  "http://100.100.100.200/",
  "http://192.0.0.192/",
  "http://198.18.0.1/",
  "http://0.0.0.0/",
  "http://[::]/",
  "http://224.0.0.1/",
  "http://255.255.255.255/",
  "http://[ff02::1]/",
  // Names of a machine or a network.
  "http://localhost/",
  "http://LOCALHOST:8080/",
  "http://localhost./",
  "http://localhost../",
  "http://127.0.0.1../",
  "http://x.localhost/",
  "http://printer.local/",
  "http://metadata.google.internal/",
  "http://router.home.arpa/",
  "http://intranet/",
])("%s is refused unless the deployment allows it", (url) => {
  expect(problemOfTarget(url, false)).toContain("private or local");
  expect(problemOfTarget(url, true)).toBeNull();
});

test.each([
  ["https://user:password@hooks.example.com/", "credentials"],
  ["https://user@hooks.example.com/", "credentials"],
  ["ftp://hooks.example.com/", "http(s)"],
  ["javascript:alert(1)", "http(s)"],
  ["not a url", "not a URL"],
  ["https://", "not a URL"],
])("%s is refused in any deployment", (url, problem) => {
  expect(problemOfTarget(url, true)).toContain(problem);
});
