import { describe, expect, it } from "vitest";
import { parseDevArguments } from "../../tools/dev-arguments.ts";

describe("parseDevArguments", () => {
  it("takes what the tool needs in either spelling and leaves the rest as it is", () => {
    const given = [
      "--port",
      "9000",
      "--persist-to=/tmp/x",
      "--ip",
      "0.0.0.0",
      "--log-level",
      "debug",
      "--minify",
    ];
    expect(parseDevArguments(given)).toEqual({
      port: 9000,
      persistTo: "/tmp/x",
      ip: "0.0.0.0",
      vars: {},
      rest: ["--log-level", "debug", "--minify"],
    });
  });

  it("keeps the colons of a variable's value, takes several per --var, and lets the last word win", () => {
    const given = ["--var", "SALAD_API_URL:http://127.0.0.1:1", "A:1", "--var=A:2", "--var", "EMPTY:"];
    expect(parseDevArguments(given).vars).toEqual({ SALAD_API_URL: "http://127.0.0.1:1", A: "2", EMPTY: "" });
  });

  it.each([
    [["--port"], "--port needs a value"],
    [["--port", "http"], "--port http is not a port"],
    [["--port", "70000"], "--port 70000 is not a port"],
    [["--var", "NAME"], "--var NAME is not NAME:VALUE"],
  ])("refuses %j", (given, message) => {
    expect(() => parseDevArguments(given)).toThrow(message);
  });
});
