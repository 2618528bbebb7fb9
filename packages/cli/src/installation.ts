// What an installation carries beside the code. It is found in another way in the npm package than in the one file that
// needs no Node: `#installation` is one of the two.

export type Keyring = typeof import("@napi-rs/keyring");

export interface Installation {
  /** The binding to the operating system's keychain. Native, a few milliseconds to load: call it once. */
  loadKeyring(): Keyring;
  /** What to do where that fails. */
  readonly keyringHint: string;
  /** What `vsync docs` shows, by topic; empty when somebody has taken it away. */
  readDocuments(): ReadonlyMap<string, string>;
}
