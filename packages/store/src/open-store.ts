// From where a bucket is (an env config or a profile) to the store that speaks to it (docs/formats.md section 10).

import { type ObjectStore, StoreError } from "./object-store.ts";

/** The fields an env config, a profile and a runtime token have in common. */
export interface StoreLocation {
  /** `https://host`, `http://host` or `file:///absolute/path`. */
  readonly endpoint: string;
  readonly region: string;
  readonly bucket: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
  /** S3 only: an AWS profile, whose credentials stand in for those above. */
  readonly awsProfile?: string | undefined;
}

export interface StoreOptions {
  /** Longest wait for a connection, in milliseconds. Default 10,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Longest wait for the next byte of an answer, in milliseconds. Default 20,000. */
  readonly silenceTimeoutMs?: number | undefined;
  /** S3 only: what to do when the server says that the bucket is in another region. Default: to change it. */
  readonly explainRegion?: ((theirs: string) => string) | undefined;
  /** Folder only: make the bucket's folder (0700) when it is not there, as `init` does. Default: BUCKET_MISSING. */
  readonly createBucket?: boolean | undefined;
  /** Folder only: longest wait for another writer, in milliseconds. Default 20,000. */
  readonly lockTimeoutMs?: number | undefined;
  /**
   * The environment: to name a proxy variable in an error, and for temporary credentials where the location names an AWS
   * profile. Nothing else is read from it.
   */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * The store at `location`. Nothing is sent yet. The S3 client is loaded only when it is needed.
 * Rejects with `StoreError` REJECTED when the endpoint or the bucket's name cannot be used.
 */
export async function openStore(location: StoreLocation, options: StoreOptions = {}): Promise<ObjectStore> {
  const endpoint = checkEndpoint(location.endpoint);
  if (endpoint.protocol === "file:") {
    const { openFolderStore } = await import("./folder-store.ts");
    return openFolderStore(endpoint, location.bucket, options);
  }
  const { openS3Store } = await import("./s3-store.ts");
  return openS3Store(endpoint, location, options);
}

function checkEndpoint(text: string): URL {
  const refuse = (why: string): StoreError =>
    new StoreError("REJECTED", `the endpoint ${why}`, {
      hint: "write it as https://host, http://host:port or file:///absolute/path, without credentials, query or fragment",
    });
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    // The cause would quote the text, which may hold credentials.
    throw refuse("is not a URL");
  }
  if (url.username !== "" || url.password !== "") throw refuse("carries credentials");
  if (url.search !== "" || url.hash !== "") throw refuse("carries a query or a fragment");
  if (!["https:", "http:", "file:"].includes(url.protocol)) throw refuse(`has the scheme ${url.protocol}`);
  return url;
}
