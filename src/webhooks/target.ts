/**
 * Where a webhook may go. Literal addresses are judged as URL parsing has normalised them, which knows every spelling (decimal,
 * octal, short forms). What a public name resolves to cannot be known here.
 */
import ipaddr from "ipaddr.js";

/** All of IPv6 that is handed out to the public. */
const globalUnicast = ipaddr.IPv6.parseCIDR("2000::/3");
/** Names of a machine's or a network's own. */
const localNames = ["localhost", "local", "internal", "home.arpa"];

/** What is wrong with the address, in words; null: nothing. */
export function problemOfTarget(address: string, privateAllowed: boolean): string | null {
  let url: URL;
  try {
    url = new URL(address);
  } catch {
    return "is not a URL";
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") return "is not an http(s) URL";
  if (url.username !== "" || url.password !== "") return "must not carry credentials before its host";
  if (privateAllowed) return null;
  return isPrivate(url.hostname)
    ? "names a private or local address, which this deployment does not allow"
    : null;
}

/** The host's name for counting tries, with its port: another port is another receiver. */
export function hostOf(address: string): string {
  try {
    return new URL(address).host;
  } catch {
    return ""; // refused when it is tried
  }
}

function isPrivate(hostname: string): boolean {
  const name = hostname.replace(/\.+$/, "");
  const literal = name.startsWith("[") ? name.slice(1, -1) : name;
  // Everything but plain unicast: also IPv4 inside of IPv6, which leads wherever the IPv4 does.
  if (ipaddr.isValid(literal)) {
    const address = ipaddr.parse(literal);
    return address.range() !== "unicast" || !(address instanceof ipaddr.IPv4 || address.match(globalUnicast));
  }
  if (!name.includes(".")) return true;
  return localNames.some((local) => name === local || name.endsWith(`.${local}`));
}
