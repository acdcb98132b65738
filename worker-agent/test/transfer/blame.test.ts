import { expect, test } from "vitest";
import { blameOfAnswer, blameOfErrno, isPassing } from "../../src/transfer/blame.ts";
import { FileDisturbed, LocalFailure } from "../../src/transfer/failures.ts";
import { judge } from "../../src/transfer/retry.ts";

test.each(["ENAMETOOLONG", "EILSEQ", "ELOOP", "EACCES", "EISDIR", undefined])(
  "%s is about the job's own path and would travel with it for ever",
  (errno) => expect(blameOfErrno(errno)).toBe("config"),
);

test.each(["ENOSPC", "EIO", "EMFILE", "ENOMEM"])("%s is this machine's", (errno) =>
  expect(blameOfErrno(errno)).toBe("node"),
);

test.each([400, 401, 403, 404, 405, 411, 412, 413, 414, 416, 417, 431])(
  "a PUT answered %i will be answered so everywhere",
  (status) => {
    for (const code of ["", "NoSuchKey", "InvalidArgument"]) {
      expect(blameOfAnswer(status, code, "PUT")).toBe("config");
      expect(isPassing(status, code)).toBe(false);
    }
  },
);

test.each<[number, string, string]>([
  [400, "RequestTimeout", "PUT"],
  [408, "", "PUT"],
  [429, "", "PUT"],
  [500, "", "PUT"],
  [501, "NotImplemented", "PUT"],
  [409, "ConditionalRequestConflict", "PUT"],
  [404, "NoSuchUpload", "PUT"],
  [404, "NoSuchKey", "GET"],
  [412, "PreconditionFailed", "GET"],
])("%i %s to a %s is the storage's", (status, code, method) =>
  expect(blameOfAnswer(status, code, method)).toBe("storage"),
);

test("a clock that is wrong is this machine's", () =>
  expect(blameOfAnswer(403, "RequestTimeTooSkewed", "PUT")).toBe("node"));

test("a file that a leftover process still writes at the end, or whose name is no text, is the job's doing", () => {
  expect(judge(new FileDisturbed("a")).fault).toBe("config");
  expect(judge(new LocalFailure("a", new Error("its name is not valid UTF-8"))).fault).toBe("config");
});
