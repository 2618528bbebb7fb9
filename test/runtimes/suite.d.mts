export interface Job {
  /** Of every vault but those that say otherwise. */
  readonly passphrase: string;
  /** Texts for VSYNC_CONFIG, by the name that the cases use. */
  readonly blobs: Readonly<Record<string, string>>;
  /** URL that gives, as JSON, the requests since it was last asked. */
  readonly seen: string;
  readonly traits: readonly Trait[];
}

/** `node`: the build for Node. `web`: the other one. `browser`: with CORS. */
export type Trait = "node" | "web" | "browser";

export declare const CANARY: string;
export declare const FILES: Readonly<Record<string, string | Uint8Array>>;
export declare function casesFor(traits: readonly Trait[]): readonly { readonly name: string }[];
