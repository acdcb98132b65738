/** Where the API takes what: below `/jobs/:id`. */
export const paths = {
  grants: "/storage/grants",
  list: "/storage/list",
  delete: "/storage/delete",
  uploads: "/storage/uploads",
  completeUpload: "/storage/uploads/complete",
  abortUpload: "/storage/uploads/abort",
  outputs: "/storage/outputs",
} as const;
