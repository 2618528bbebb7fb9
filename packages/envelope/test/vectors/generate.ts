// The whole corpus, from nothing but this folder. `pnpm generate-vectors` writes it; a test holds the committed one to it.

import { archiveReject } from "./archive-reject.ts";
import { auditChain } from "./audit-chain.ts";
import { bundleOpen } from "./bundle-open.ts";
import { configBlob } from "./config-blob.ts";
import { envFile } from "./env-file.ts";
import { envFileEdit } from "./env-file-edit.ts";
import { errorTaxonomy } from "./error-taxonomy.ts";
import { fallbackChain } from "./fallback-chain.ts";
import { manifestSeal } from "./manifest-seal.ts";
import { rqe1Decrypt, rqe1DecryptError } from "./rqe1.ts";
import { rqem0001 } from "./rqem0001.ts";
import { sls1Share } from "./sls1-share.ts";
import { vaultArchive } from "./vault-archive.ts";
import { type Vector, vectorFiles } from "./vector.ts";

const CATEGORIES: readonly (() => Vector[])[] = [
  rqe1Decrypt,
  rqe1DecryptError,
  rqem0001,
  configBlob,
  sls1Share,
  vaultArchive,
  archiveReject,
  envFile,
  envFileEdit,
  manifestSeal,
  bundleOpen,
  auditChain,
  fallbackChain,
  errorTaxonomy,
];

/** Contents by path below `test-vectors/`. */
export function generateVectors(): Map<string, Uint8Array> {
  const files = new Map<string, Uint8Array>();
  for (const [path, bytes] of CATEGORIES.flatMap((vectorsOf) => vectorsOf()).flatMap(vectorFiles)) {
    if (files.has(path)) throw new Error(`two vectors are named ${path}`);
    files.set(path, bytes);
  }
  return files;
}
