/** What proves to the API who we are: headers that stand, or that have to be had anew now and then. */

export type CredentialHeaders =
  | { ok: true; headers: Record<string, string> }
  /** They cannot be had just now. */
  | { ok: false; message: string };

export interface Credentials {
  /** For the next call. */
  headers(): Promise<CredentialHeaders>;
  /** The API has refused these. True: there are others, worth one more try. */
  refused(headers: Record<string, string>): Promise<boolean>;
}

/** Headers that stand as long as the agent lives. */
export function fixedCredentials(headers: Record<string, string>): Credentials {
  return {
    headers: async () => ({ ok: true, headers }),
    // A person may mend a key, a second try will not.
    refused: async () => false,
  };
}
