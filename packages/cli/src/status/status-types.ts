// What `vsync status` tells about one environment.

import type { Publisher } from "../audit/publisher.ts";
import type { ErrorCode } from "../exit-codes.ts";
import type { Changes } from "../vault/changes.ts";
import type { Grace } from "../vault/grace.ts";

export interface EnvironmentStatus {
  readonly repo: string;
  readonly env: string;
  readonly folder: FolderState;
  /** What the vault folder was last synced with; null: nothing, or another clone of the repository was. */
  readonly synced: { readonly timestamp: string; readonly generation: number; readonly at: string } | null;
  /** Null: it was not asked. */
  readonly bucket: BucketState | null;
  readonly findings: readonly Finding[];
  /** What brings the environment in step; null: nothing has to be done. */
  readonly next: string | null;
}

export type FolderState =
  | { readonly state: "clean" | "missing" | "never-synced" }
  | { readonly state: "changed"; readonly changes: Changes }
  /** Whether it has changes cannot be told. */
  | { readonly state: "unknown"; readonly why: string };

export type BucketState =
  | { readonly state: "empty" | "manifest-gone" }
  | { readonly state: "in-step"; readonly grace: Grace | null }
  | {
      readonly state: "behind";
      /** Generations. */
      readonly by: number;
      readonly timestamp: string;
      readonly generation: number;
      readonly publisher: Publisher | null;
      /** Of the last rotation, while it runs. */
      readonly grace: Grace | null;
    }
  | { readonly state: "problem"; readonly code: ErrorCode; readonly message: string };

export interface Finding {
  /** `broken` keeps something from working; a `note` is only worth knowing. */
  readonly level: "broken" | "note";
  /** `<repo>/<env>`, or null when it is of the whole machine. */
  readonly about: string | null;
  readonly problem: string;
  /** The next command; empty when there is nothing to do. */
  readonly fix: string;
}
